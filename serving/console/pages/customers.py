"""Search by id, the newest decisions, and one customer: who they are, and all that happened."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from nba.errors import Gone, InvalidInput
from nba.journey.events import BECAUSE
from nba.model import ID_RULE, is_id
from nba.staging import CHANGED
from serving.console.desk import Ask, Desk, Shown
from serving.console.pages.decisions import known
from serving.console.reading import DAY, newest_draws

_NEWEST, _FRESH, _MOVES = 30, 10.0, 50
_KINDS = {"decisions": "Decision", "touchpoints": "Touchpoint", "feedback": "Feedback"}
Event = dict[str, Any]


def show(desk: Desk, ask: Ask) -> Shown:
    if ask.rest:
        return _customer(desk, ask.rest)
    wanted = ask.query.get("id", "").strip()
    if not wanted:
        return _search(desk, "", None)
    if not is_id(wanted):
        return _search(desk, wanted[:200], ask.words("An id {rule}.", rule=ID_RULE))
    try:
        found = known(desk, wanted)
    except Gone:
        found = True
    return Shown(goto=f"/console/{'decisions' if found else 'customers'}/{quote(wanted)}")


def _search(desk: Desk, wanted: str, said: str | None) -> Shown:
    kept = desk.kept("newest decisions", _FRESH, lambda: _newest(desk))
    values = {"wanted": wanted, "said": said, "newest": kept.value}
    return Shown(template="customers.html", values=values, at=kept.at, status=422 if said else 200)


def _newest(desk: Desk) -> list[dict[str, Any]]:
    now = desk.now()
    if math.isnan(now):
        return []
    rows = newest_draws(desk.store, until=now, longest=400 * DAY, most=_NEWEST).rows
    names = desk.store.names([row.surrogate for row in rows])
    return [{**row._asdict(), "customer_id": names.get(row.surrogate)} for row in reversed(rows)]


def _customer(desk: Desk, customer_id: str) -> Shown:
    if not is_id(customer_id):
        raise InvalidInput.of("id", ID_RULE)
    told = orjson.loads(desk.service.customer(customer_id, desk.now()))
    values = {"told": told, "events": timeline(told, _moves(desk, customer_id))}
    return Shown(template="customer.html", values=values, at=desk.clock())


def _moves(desk: Desk, customer_id: str) -> dict[str, Mapping[str, Any]]:
    """Of each change of stage, and of consent, by its id: what it says."""
    own = [row.surrogate for row in desk.store.known(customer_id)]
    rows = desk.store.touchpoints_of(own, _MOVES, [CHANGED, "consent"])
    return {row.id: orjson.loads(row.properties) for row in rows if row.properties}


def timeline(told: Mapping[str, Any], moves: Mapping[str, Mapping[str, Any]]) -> list[Event]:
    """All that happened to a customer, newest first: kind, at (timestamp), what, and the row itself.

    A survey answer or a text stands in the touchpoints and in the feedback, a ticket in both too; here each
    stands once. A change of
    stage says where from and where to.
    """
    said = {(row["source"], row["id"]) for row in told.get("feedback", ())}
    doubled = BECAUSE if told.get("tickets") else ()
    events: list[Event] = []
    for name, kind in _KINDS.items():
        for row in told.get(name, ()):
            if name == "touchpoints" and ((row["source"], row["id"]) in said or row["type"] in doubled):
                continue
            at = row.get("decided_at") or row.get("at")
            said_of = moves.get(row.get("id"))
            if said_of is not None and row["type"] == CHANGED:
                events.append({"kind": "Stage change", "at": at, "row": {**row, **said_of}, "told": None})
            else:
                events.append({"kind": kind, "at": at, "row": row, "told": said_of})
    for row in told.get("tickets", ()):
        events.append({"kind": "Ticket", "at": row["opened_at"], "row": row})
        if row["closed_at"] is not None:
            events.append({"kind": "Ticket settled", "at": row["closed_at"], "row": row})
    return sorted(events, key=lambda event: event["at"] or "", reverse=True)
