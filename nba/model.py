"""The words of the domain as frozen values: what callers ask, what they are told.

A value that exists is in a right state: ids and names are checked here, once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from nba.errors import InvalidInput, NbaError

_ID = re.compile(r"[A-Za-z0-9._~:-]{1,128}")
ID_RULE = "must be 1 to 128 of A-Z a-z 0-9 . _ ~ : -"
_FIRST, _LAST = -2_208_988_800.0, 7_258_118_400.0  # 1900 to 2199: days added on either side stay dates
Scalar = str | float | bool | None


def timestamp(moment: float | None) -> str | None:
    """Epoch seconds → `2026-11-21T18:00:00Z`, with microseconds where there are any; None for NaN."""
    if moment is None or math.isnan(moment):
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat()[:-6] + "Z"


def is_id(text: str) -> bool:
    """Whether `text` can be an id: 1 to 128 of `[A-Za-z0-9._~:-]`."""
    return _ID.fullmatch(text) is not None


def _require_id(name: str, value: str | None) -> None:
    if value is not None and not is_id(value):
        raise InvalidInput.of(name, ID_RULE)


def _require_moment(name: str, value: float | None) -> None:
    if value is not None and not _FIRST <= value < _LAST:
        raise InvalidInput.of(name, "must lie in the years 1900 to 2199")


@dataclass(frozen=True, slots=True, kw_only=True)
class BroughtAction:
    """An action of the caller's own catalogue, with its features by name, in the order of the names."""

    id: str
    features: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        _require_id("id", self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRequest:
    """Decide for one customer.

    Attributes:
        decision_id: the caller's, or made at the edge; the draw is keyed by it.
        digest: of what was asked, so that a repeat is told from another request (`nba/requests.py`).
        context: the request's own features; keys the playbook doesn't declare are named, not used.
        actions, channels: narrow the playbook's; None is all of them. `actions` names the brought ones too.
        brought: actions that the playbook does not list.
        activate: False holds the decision until it is shown.
        at: the moment, epoch seconds; on the request clock only.
    """

    customer_id: str
    decision_id: str
    digest: bytes
    context: Mapping[str, Scalar] = field(default_factory=dict)
    actions: tuple[str, ...] | None = None
    channels: tuple[str, ...] | None = None
    brought: tuple[BroughtAction, ...] = ()
    activate: bool = True
    explain: bool = False
    at: float | None = None

    def __post_init__(self) -> None:
        _require_id("customer_id", self.customer_id)
        _require_id("decision_id", self.decision_id)
        _require_moment("at", self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One event or outcome as reported.

    An outcome names a decision or a customer; an event names a customer.
    """

    source: Literal["event", "outcome"]
    id: str
    type: str
    customer_id: str | None = None
    decision_id: str | None = None
    channel: str | None = None
    occurred_at: float | None = None
    value: float = 0.0
    properties: Mapping[str, Scalar] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require_id(f"{self.source}_id", self.id)
        _require_id("customer_id", self.customer_id)
        _require_id("decision_id", self.decision_id)
        if self.customer_id is None and self.decision_id is None:
            raise InvalidInput.of("customer_id", "name the customer, or for an outcome the decision")
        if not math.isfinite(self.value):
            raise InvalidInput.of("value", "must be a finite number")
        _require_moment("occurred_at", self.occurred_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """Up to 1,000 events or outcomes that came in one body, each accepted or rejected by itself."""

    items: tuple[Report | Rejection, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """A held decision was shown."""

    decision_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """Erase the customer, and all who are linked to it. `who` asks for it, for the audit."""

    customer_id: str
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Undo what links a customer to others: its claims of one `kind` of identity, or all."""

    customer_id: str
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketOpening:
    """Open a ticket by hand.

    Attributes:
        ticket_id: the caller's, or made at the edge; a repeat opens no second one.
        due_at: epoch seconds; None is a day after it opens.
        at: when; on the request clock only.
    """

    ticket_id: str
    customer_id: str
    reason: str
    who: str
    queue: str | None = None
    owner: str | None = None
    due_at: float | None = None
    note: str | None = None
    at: float | None = None

    def __post_init__(self) -> None:
        _require_id("ticket_id", self.ticket_id)
        _require_id("customer_id", self.customer_id)
        _require_moment("due_at", self.due_at)
        _require_moment("at", self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketUpdate:
    """Change a ticket that is as it was at `version`.

    Attributes:
        change: what of status, queue, owner and due_at becomes what.
        at: when; on the request clock only.
    """

    ticket_id: str
    version: int
    change: Mapping[str, Any]
    who: str
    note: str | None = None
    at: float | None = None

    def __post_init__(self) -> None:
        _require_id("ticket_id", self.ticket_id)
        _require_moment("at", self.at)
        _require_moment("due_at", self.change.get("due_at"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Look at a customer: which conditions have become true, what is absent, which score has jumped.

    Attributes:
        at: epoch seconds; None where the server's clock says it.
        since: from when on each condition is watched, by its key.
    """

    customer_id: str
    at: float | None
    since: Mapping[str, float]


Command = DecisionRequest | Reports | Activation | Erasure | Withdrawal | TicketOpening | TicketUpdate | Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A decision's answer.

    Attributes:
        body: JSON bytes, the same for every repeat.
        repeated: the id was seen before.
        expired: its moment, `send_at`, has passed.
    """

    body: bytes
    repeated: bool
    expired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """One item that was not taken, by its place in the body."""

    index: int
    id: str | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    accepted: int
    duplicates: int
    rejected: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activated:
    """The held decision counts as shown now; also when it already did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How many customer ids were erased, how many rows emptied, how many contacts called off."""

    customers: int
    decisions: int
    touchpoints: int
    called_off: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """How many claims were withdrawn, and the persons who are left, as their customer ids."""

    claims: int
    persons: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketTold:
    """A ticket with its history, as JSON. `made`: it was opened now."""

    body: bytes
    made: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """How many triggers and tickets came of a look."""

    fired: int


Result = Answer | Receipt | Activated | Erased | Withdrawn | TicketTold | Looked | NbaError


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRow:
    """A contact in the ledger.

    Reserved ones count, shown ones (held before) too, held ones until `expires_at`. Released ones (nothing
    was sent), displaced ones (something more valuable took their place) and lapsed ones (held too long)
    don't.

    Attributes:
        send_at: when it is sent, epoch seconds; what lies behind is sent.
        cost: of the contact, in the playbook's currency.
        day: the day whose limit it uses up, `2026-11-22` in the playbook's time zone, with its pool where
            it has one, `2026-11-22@bolder.bold`; None where the action has no daily limit.
    """

    decision_id: str
    surrogate: str
    action: str
    channel: str
    purpose: str
    category: str
    send_at: float
    status: Literal["reserved", "held", "shown", "released", "displaced", "lapsed"]
    expires_at: float | None = None
    cost: float = 0.0
    day: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What an action has used up on a day: contacts, and their cost in the playbook's currency."""

    contacts: int = 0
    spend: float = 0.0
