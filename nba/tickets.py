"""Tickets as frozen values: what one is, how it may move on, what a change does to it.

    open ⇄ in_progress → resolved → closed        resolved may be opened again; closed stays closed

A ticket that is open or in progress is unsettled: while a customer has one, they get no selling action
(a stop rule over `open_tickets`). Knows no store and no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from nba.errors import Conflict

Status = Literal["open", "in_progress", "resolved", "closed"]
STATUSES: tuple[Status, ...] = get_args(Status)
UNSETTLED: tuple[Status, ...] = ("open", "in_progress")
MOVES: Mapping[Status, tuple[Status, ...]] = {
    "open": ("in_progress", "resolved", "closed"),
    "in_progress": ("open", "resolved", "closed"),
    "resolved": ("open", "in_progress", "closed"),
    "closed": (),
}
BY_HAND = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRow:
    """A ticket as it stands.

    Attributes:
        rule: the playbook's rule that opened it; "" for one that was opened by hand.
        reason: why, in a few words; nothing that a customer wrote.
        event_type, event_id: of the event that it came of; "" for none.
        opened_at, due_at, changed_at: epoch seconds on the store's clock.
        closed_at: when it was last settled; None while it is unsettled.
        version: from 1, rising with each change.
    """

    ticket_id: str
    surrogate: str
    rule: str
    reason: str
    event_type: str
    event_id: str
    status: Status
    queue: str | None
    owner: str | None
    opened_at: float
    due_at: float
    changed_at: float
    closed_at: float | None
    version: int

    @property
    def unsettled(self) -> bool:
        return self.status in UNSETTLED

    @property
    def in_time(self) -> bool | None:
        """Whether it was settled by its due time; None while it is not settled."""
        return None if self.closed_at is None else self.closed_at <= self.due_at


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketChangeRow:
    """One change: `version` is the ticket's after it, `what` maps fields to what they became."""

    ticket_id: str
    version: int
    at: float
    who: str
    what: Mapping[str, Any]
    note: str | None


def moved(ticket: TicketRow, at: float, change: Mapping[str, Any]) -> TicketRow:
    """The ticket after a change of some of status, owner, queue and due_at.

    Raises:
        Conflict: from its status no way leads to the one asked for.
    """
    status = change.get("status", ticket.status)
    if status != ticket.status and status not in MOVES[ticket.status]:
        ways = " or ".join(MOVES[ticket.status])
        mend = f"it can become {ways}" if ways else "open another one"
        raise Conflict(f"a ticket that is {ticket.status} can't become {status}; {mend}")
    settled = status not in UNSETTLED
    closed_at = None if not settled else at if ticket.unsettled else ticket.closed_at
    return replace(ticket, **change, changed_at=at, closed_at=closed_at, version=ticket.version + 1)


def differing(ticket: TicketRow, change: Mapping[str, Any]) -> dict[str, Any]:
    """What of a change is not so already."""
    return {name: value for name, value in change.items() if getattr(ticket, name) != value}
