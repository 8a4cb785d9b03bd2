"""The unified view of a customer as we answer it: for the OpenAPI document only."""

from __future__ import annotations

from pydantic import Field
from pydantic.config import JsonDict

from serving.answers import TicketOut, Told
from serving.schemas import Id

_MOMENT: JsonDict = {"format": "date-time"}
Value = str | float | bool


class ConsentOut(Told):
    """The latest word on a purpose; a null channel is all of them."""

    purpose: str
    channel: str | None
    granted: bool
    at: str = Field(json_schema_extra=_MOMENT)


class IdentityOut(Told):
    """That a customer id claims an identity of this kind. The identity itself is known to nobody here."""

    kind: str
    customer_id: Id
    since: str = Field(json_schema_extra=_MOMENT)
    status: str = Field(description="linked, noted (its kind does not link), refused (too many), withdrawn.")


class TouchpointOut(Told):
    """Something that happened, as it was reported."""

    id: str
    source: str = Field(description="event or outcome.")
    customer_id: Id
    type: str
    channel: str | None
    at: str = Field(json_schema_extra=_MOMENT)
    value: float
    decision_id: str | None


class FeedbackOut(TouchpointOut):
    """A survey's answer, or what was written: show it as text, never as HTML."""

    text: str | None


class ContactOut(Told):
    """A contact in the ledger; reserved, held and shown ones count."""

    decision_id: str
    customer_id: Id
    action: str
    channel: str
    purpose: str
    send_at: str = Field(json_schema_extra=_MOMENT)
    status: str
    expires_at: str | None = Field(json_schema_extra=_MOMENT)


class PastDecision(Told):
    """One decision, in short; `GET /v1/decisions/{id}` has the rest."""

    decision_id: str
    customer_id: Id
    decided_at: str = Field(json_schema_extra=_MOMENT)
    action: str
    channel: str | None
    timing: str | None
    send_at: str | None = Field(json_schema_extra=_MOMENT)
    propensity: float
    group: str
    policy: str
    status: str


class CustomerOut(Told):
    """One person over all linked customer ids. Lists hold the latest 50, the latest first."""

    customer_id: Id
    customer_ids: list[Id] = Field(description="All that are linked, this one among them.")
    named_by: Id = Field(description="The one by which groups and experiments go: the first identified.")
    group: str
    last_at: str | None = Field(json_schema_extra=_MOMENT)
    attributes: dict[str, Value] = Field(description="Those that the playbook lists, and timezone.")
    consents: list[ConsentOut]
    stage: str | None
    stage_since: str | None = Field(
        json_schema_extra=_MOMENT,
        description="When it was entered, where the server has noticed that; null where not.",
    )
    segment: str | None = Field(description="By name, where a segment model serves.")
    scores: dict[str, float]
    identities: list[IdentityOut]
    touchpoints: list[TouchpointOut]
    feedback: list[FeedbackOut]
    ledger: list[ContactOut]
    decisions: list[PastDecision]
    tickets: list[TicketOut]
