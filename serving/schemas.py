"""What a caller may send, as pydantic models: shape, types and ranges of single fields.

What needs the playbook (is there such an action?), the store (was this id seen?) or the clock stands in
the service. Numbers are finite, text is UTF-8 without lone surrogates, unknown fields are refused.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetPydanticSchema,
    TypeAdapter,
    WrapValidator,
)
from pydantic_core import core_schema

from nba.model import Scalar as ScalarType

FIRST_MOMENT = datetime(1900, 1, 1, tzinfo=UTC)
LAST_MOMENT = datetime(2200, 1, 1, tzinfo=UTC)
MOST_CONTEXT, MOST_ACTIONS, MOST_BROUGHT, MOST_FEATURES = 1_000, 1_000, 200, 64
_NOT_A_MOMENT = "must be ISO-8601 with a time zone, such as 2026-11-21T18:00:00Z"
_NOT_A_SCALAR = "must be text, a finite number, true, false or null"
_NOT_AN_ACTION = "must be the name of an action, or an object with id and features"


def _moment(text: str) -> str:
    """Check a moment; it stays text, `epoch` makes it a number. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(_NOT_A_MOMENT) from None
    if moment.tzinfo is None:
        raise ValueError(_NOT_A_MOMENT)
    if not FIRST_MOMENT <= moment < LAST_MOMENT:
        raise ValueError("must lie in the years 1900 to 2199")
    return text


def epoch(moment: str | None) -> float | None:
    """A checked moment → epoch seconds."""
    return None if moment is None else datetime.fromisoformat(moment).timestamp()


def _asked_action(action: object, _: object) -> object:
    """A name, or an action brought along; told apart here, so that an error's path has no name of a kind."""
    if isinstance(action, dict):
        return BroughtActionIn.model_validate(action)
    if not isinstance(action, str):
        raise ValueError(_NOT_AN_ACTION)
    return _NAME.validate_python(action)


def _scalar_schema(*_: Any) -> core_schema.CoreSchema:
    choices: list[core_schema.CoreSchema | tuple[core_schema.CoreSchema, str]] = [
        core_schema.str_schema(strict=True),
        core_schema.float_schema(strict=True, allow_inf_nan=False),
        core_schema.bool_schema(strict=True),
        core_schema.none_schema(),
    ]
    return core_schema.union_schema(choices, custom_error_type="scalar", custom_error_message=_NOT_A_SCALAR)


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._~:-]{1,128}$")]
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,128}$")]
Amount = Annotated[float, Field(ge=-1e12, le=1e12)]  # sums of squares of values have to stay finite
Moment = Annotated[str, AfterValidator(_moment), Field(json_schema_extra={"format": "date-time"})]
Scalar = Annotated[ScalarType, GetPydanticSchema(_scalar_schema)]
Properties = Annotated[dict[str, Scalar], Field(default_factory=dict)]


class Sent(BaseModel):
    """The ground of all models here: strict types, no unknown field, no infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class BroughtActionIn(Sent):
    """An action of the caller's own catalogue, which the playbook does not list."""

    id: Id
    features: dict[str, Amount] = Field(
        default_factory=dict,
        max_length=MOST_FEATURES,
        description="What the learner does not know is left aside and named in `ignored`.",
    )


_NAME = TypeAdapter[str](Name)
AskedAction = Annotated[Name | BroughtActionIn, WrapValidator(_asked_action)]


class DecisionIn(Sent):
    """Decide for one customer."""

    customer_id: Id
    decision_id: Id | None = Field(
        default=None, description="The caller's; a repeat gets the same answer. Made up where it is left out."
    )
    context: dict[str, Scalar] = Field(default_factory=dict, max_length=MOST_CONTEXT)
    actions: list[AskedAction] | None = Field(
        default=None,
        max_length=MOST_ACTIONS,
        description="Narrows the playbook's, and brings along up to 200 of the caller's own.",
    )
    channels: list[Name] | None = Field(default=None, description="Narrows the playbook's.")
    activate: bool = Field(default=True, description="False holds the decision until it is shown.")
    explain: bool = False
    at: Moment | None = Field(default=None, description="The moment; on a simulation store only.")


class OutcomeIn(Sent):
    """Something that counts for or against a decision. It names the decision or the customer."""

    outcome_id: Id
    decision_id: Id | None = None
    customer_id: Id | None = None
    type: Name
    channel: Name | None = None
    occurred_at: Moment | None = None
    value: Amount = 0.0
    properties: Properties


class EventIn(Sent):
    """A touchpoint, or one of the types with a meaning of their own (`consent`, `profile`, …)."""

    event_id: Id
    customer_id: Id
    type: Name
    channel: Name | None = None
    occurred_at: Moment | None = None
    value: Amount = 0.0
    properties: Properties


class CloudEventData(Sent):
    """What a CloudEvent's `data` may hold."""

    channel: Name | None = None
    value: Amount = 0.0
    properties: Properties


class CloudEventIn(Sent):
    """CloudEvents 1.0, JSON format: `id`, `subject`, `type`, `time` and `data` make an event.

    Two events are the same where both `source` and `id` are.

    Extension attributes are allowed by that specification and left aside here.
    """

    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False, frozen=True)

    specversion: Literal["1.0"]
    id: Annotated[str, Field(min_length=1, max_length=1024)]
    source: Annotated[str, Field(min_length=1, max_length=1024)]
    type: Name
    subject: Id = Field(description="The customer.")
    time: Moment | None = None
    data: CloudEventData = CloudEventData(properties={})
    data_base64: None = Field(default=None, description="Not taken: `data` is JSON here.")


Text = Annotated[str, Field(pattern=r"^[^\x00]+$", min_length=1, max_length=4_000)]
Status = Literal["open", "in_progress", "resolved", "closed"]


class TicketIn(Sent):
    """Open a ticket by hand. While it is open, the rules of the sample playbook stop marketing."""

    customer_id: Id
    ticket_id: Id | None = Field(
        default=None, description="The caller's; a repeat opens no second one. Made up where it is left out."
    )
    reason: Name = Field(description="In a few words.")
    queue: Name | None = None
    owner: Name | None = None
    due_at: Moment | None = Field(default=None, description="A day from now where it is left out.")
    note: Text | None = None
    who: Name = Field(default="api", description="Who opens it, for the history.")
    at: Moment | None = Field(default=None, description="The moment; on a simulation store only.")


class TicketChangeIn(Sent):
    """Move a ticket on. What is left out stays; `queue` and `owner` of null are taken away."""

    version: int = Field(ge=1, description="As it was read; another one meanwhile is a 409.")
    status: Status | None = None
    queue: Name | None = None
    owner: Name | None = None
    due_at: Moment | None = None
    note: Text | None = None
    who: Name = Field(default="api", description="Who does it, for the history.")
    at: Moment | None = Field(default=None, description="The moment; on a simulation store only.")
