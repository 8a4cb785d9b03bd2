"""The playbook's `tickets`, `triggers` and `deliver` sections as written: what happens by itself, and who is
told.

Addresses of targets and their secrets stand in the environment, under the names that are given here: a
playbook is kept for ever, and is shown to people.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from nba.playbook.scalars import DAY, FeatureName, Name, Names, Number, Rule, Seconds
from nba.playbook.section import Section

MESSAGES = (
    "decision.triggered",
    "decision.displaced",
    "decision.withdrawn",
    "decision.erased",
    "contact.decided",
    "ticket.opened",
    "ticket.changed",
)


def _variable(value: str) -> str:
    if re.fullmatch("[A-Z_][A-Z0-9_]{0,127}", value) is None:
        raise ValueError(
            "names a variable of the environment, such as NBA_ORCHESTRATOR_URL; its value does not stand here"
        )
    return value


Variable = Annotated[str, AfterValidator(_variable)]
Label = Annotated[str, Field(min_length=1, max_length=128)]


class OnEvent(Section):
    """An event or outcome of a type, of a channel and with a value within bounds where these are given.

    What happened longer than `within` before it was told is no reason to act any more.
    """

    event: FeatureName
    channel: Name | None = None
    at_least: Number | None = None
    at_most: Number | None = None
    within: Seconds = 7 * DAY

    @model_validator(mode="after")
    def _some_values(self) -> OnEvent:
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least must not be above at_most")
        return self

    def meets(self, type: str, channel: str | None, value: float, age: float) -> bool:
        """Whether something that happened `age` seconds ago is meant."""
        return (
            type == self.event
            and self.channel in (None, channel)
            and (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
            and age <= self.within
        )


class Jump(Section):
    """A score, `churn` or `propensity_<name>`, that is higher by `by` than when it was last looked at."""

    score: FeatureName
    by: float = Field(strict=True, gt=0, le=1)


class TicketRule(Section):
    """What opens a ticket, when it is due, and who looks after it. One of `on` and `jump`."""

    name: Name
    on: OnEvent | None = None
    jump: Jump | None = None
    due: Seconds = DAY
    queue: Label | None = None
    owner: Label | None = None

    @model_validator(mode="after")
    def _one_reason(self) -> TicketRule:
        if (self.on is None) == (self.jump is None):
            raise ValueError("has either on: {event: …} or jump: {score: churn, by: 0.2}")
        return self


class Tickets(Section):
    """Of an event the first rule that is met opens a ticket.

    With `withdraw`, marketing that is decided and not yet sent when a ticket opens is taken back, and the
    orchestrator is told. Scores are looked at again `every` so often, and after each event of a customer.
    """

    rules: list[TicketRule] = Field(default_factory=list, max_length=100)
    withdraw: bool = True
    every: Seconds = DAY


class Absence(Section):
    """No touchpoint of this type for so long since the last one. Who never had one is not missed."""

    of: FeatureName
    length: Seconds = Field(alias="for")


class Trigger(Section):
    """What makes a decision that nobody asked for, and pushes it to the orchestrator.

    `on`: an event, while `when` holds where it is given. `when` alone: a condition that becomes true; it can
    do so again when `until` has held in between, by default when `when` did not. `absence`: of a type of
    touchpoint. At most once per customer and `cooldown`. `actions` and `channels` narrow the playbook's, as
    in a request. Silence is logged, and pushed only with `silence: true`. Conditions are looked at again
    `every` so often, and after each event of a customer.
    """

    on: OnEvent | None = None
    when: Rule | None = None
    until: Rule | None = None
    absence: Absence | None = None
    cooldown: Seconds | None = None
    every: Seconds = DAY
    actions: Names | None = None
    channels: Names | None = None
    silence: bool = False

    @model_validator(mode="after")
    def _one_reason(self) -> Trigger:
        if self.absence is not None and (self.on is not None or self.when is not None):
            raise ValueError("absence goes with neither on nor when; write two triggers")
        if self.on is None and self.when is None and self.absence is None:
            raise ValueError("needs on: {event: …}, when: …, or absence: {of: …, for: …}")
        if self.until is not None and (self.when is None or self.on is not None):
            raise ValueError("until goes with when alone")
        return self

    @property
    def condition(self) -> str | None:
        """The rule whose becoming true is the trigger; None where it is something else."""
        return self.when if self.on is None and self.absence is None else None


def _types(values: list[str]) -> list[str]:
    known = ("*", *MESSAGES, *(f"{type.partition('.')[0]}.*" for type in MESSAGES))
    for value in values:
        if value not in known:
            raise ValueError(
                f"{value!r} is no type of message; there are {', '.join(MESSAGES)}, and ticket.*"
            )
    return values


class Retries(Section):
    """After a failure a message waits, from `pause` on twice as long each time up to `longest`, give or take
    a fifth; after `tries` it is a dead letter. A target that is not through by `timeout` has failed."""

    tries: int = Field(default=12, strict=True, ge=1, le=100)
    pause: Seconds = 1.0
    longest: Seconds = 600.0
    timeout: Seconds = 5.0


class Webhook(Section):
    """Where messages are posted: `url` and `secret` name variables of the environment.

    `parallel` messages are on their way at a time; more than one may arrive in another order. A target that
    is new begins with messages of the last `since`.
    """

    url: Variable
    secret: Variable
    types: Annotated[list[str], Field(min_length=1), AfterValidator(_types)] = Field(
        default_factory=lambda: ["decision.*", "ticket.*"]
    )
    parallel: Annotated[int, Field(strict=True, ge=1, le=32)] = 1
    since: Seconds = DAY
    retries: Retries = Field(default_factory=Retries)


class Template(Section):
    """A message's subject and plain text. `{name}` is replaced by an attribute of the customer or a field of
    the decision; `{{` and `}}` are braces."""

    subject: Annotated[str, Field(min_length=1, max_length=200)]
    body: Annotated[str, Field(min_length=1, max_length=20_000)]


class Smtp(Section):
    """Sends the contacts of the channels with `deliver: smtp`.

    `server` names the variable with `smtp://user:password@host:587` (or `smtps://`); `address` is the
    attribute that holds a customer's address, which is used for nothing else. Templates go by action.
    """

    server: Variable
    sender: Annotated[str, Field(min_length=3, max_length=320)]
    address: FeatureName = "email_address"
    encryption: Literal["starttls", "none"] = "starttls"
    templates: dict[Name, Template] = Field(min_length=1)
    since: Seconds = DAY
    retries: Retries = Field(default_factory=Retries)


class Deliver(Section):
    """Who is told what happens by itself."""

    webhooks: dict[Name, Webhook] = Field(default_factory=dict)
    smtp: Smtp | None = None
