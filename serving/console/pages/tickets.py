"""The tickets: what is open and how late it is, and one with its history. Read only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from nba import ticket_pages
from nba.errors import InvalidInput
from nba.model import ID_RULE, is_id
from nba.tickets import Status
from serving.console.desk import Ask, Desk, Shown

_MOST = 200
_STATUSES: tuple[Status, ...] = ("open", "in_progress", "resolved", "closed")


def show(desk: Desk, ask: Ask) -> Shown:
    if ask.rest:
        if not is_id(ask.rest):
            raise InvalidInput.of("id", ID_RULE)
        ticket = _judged(desk, orjson.loads(ticket_pages.ticket(desk.store, ask.rest)))
        return Shown(template="ticket.html", values={"ticket": ticket})
    wanted = ask.query.get("status", "open")
    status: Status = next((one for one in _STATUSES if one == wanted), "open")
    told: dict[str, Any] = orjson.loads(
        ticket_pages.tickets(desk.store, customer_id=None, status=status, after=None, limit=_MOST)
    )
    values = {
        "tickets": [_judged(desk, ticket) for ticket in told["tickets"]],
        "more": told["next"] is not None,
        "status": status,
        "statuses": _STATUSES,
    }
    return Shown(template="tickets.html", values=values, at=desk.clock())


def _judged(desk: Desk, ticket: dict[str, Any]) -> dict[str, Any]:
    """With `late`: whether it should have been settled by now and is not."""
    due = datetime.fromisoformat(ticket["due_at"]).timestamp()
    return {**ticket, "late": ticket["closed_at"] is None and due < desk.now()}
