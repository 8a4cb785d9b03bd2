"""A ticket and its history as JSON: what the API, the outbox and commands tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nba.model import timestamp
from nba.tickets import TicketChangeRow, TicketRow

_MOMENTS = ("due_at",)


def as_json(ticket: TicketRow, customer_id: str | None, history: Sequence[TicketChangeRow]) -> dict[str, Any]:
    """A ticket as the API tells it."""
    return {**told(ticket), "customer_id": customer_id, "history": [change_told(one) for one in history]}


def listed(ticket: TicketRow, customer_id: str | None) -> dict[str, Any]:
    """A ticket without its history."""
    return {**told(ticket), "customer_id": customer_id}


def told(ticket: TicketRow) -> dict[str, Any]:
    """A ticket without whose it is."""
    event = {"type": ticket.event_type, "id": ticket.event_id} if ticket.event_id else None
    return {
        "ticket_id": ticket.ticket_id,
        "rule": ticket.rule or None,
        "reason": ticket.reason,
        "event": event,
        "status": ticket.status,
        "queue": ticket.queue,
        "owner": ticket.owner,
        "opened_at": timestamp(ticket.opened_at),
        "due_at": timestamp(ticket.due_at),
        "changed_at": timestamp(ticket.changed_at),
        "closed_at": timestamp(ticket.closed_at),
        "in_time": ticket.in_time,
        "version": ticket.version,
    }


def change_told(change: TicketChangeRow) -> dict[str, Any]:
    """One change."""
    what = {name: timestamp(v) if name in _MOMENTS else v for name, v in change.what.items()}
    return {
        "version": change.version,
        "at": timestamp(change.at),
        "who": change.who,
        "what": what,
        "note": change.note,
    }
