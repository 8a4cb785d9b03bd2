"""Tickets and triggers are of a person: linked customer ids have them together, an erased one has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from nba.model import Erasure, Look, Looked, TicketTold, TicketUpdate, Withdrawal
from tests.service.business import DAY, HOUR, NOON, event
from tests.service.test_persons import identify
from tests.service.test_tickets import TICKETS
from tests.service.test_triggers import business, look, pushed

OFTEN = '  often: {when: "visit_total > 2", silence: true}'


def linked(triggers: str, **options: Any) -> Any:
    ours = business(triggers, **options)
    ours.report(identify("a", "one@home"), identify("b", "one@home"))
    return ours


def test_a_condition_over_both_ids_goes_off_once_for_the_person() -> None:
    ours = linked(OFTEN)
    ours.report(event("a", "visit", NOON), event("b", "visit", NOON))
    assert look(ours, NOON, since=0.0) == 0
    ours.report(event("b", "visit", NOON + 1.0))
    assert [look(ours, NOON + HOUR + i, since=0.0) for i in range(3)] == [1, 0, 0]
    assert len(pushed(ours)) == 1


def test_a_link_and_its_undoing_set_nothing_off_again() -> None:
    ours = business(OFTEN)
    for name in ("a", "b"):
        ours.report(*(event(name, "visit", NOON + i) for i in range(3)))
    assert look(ours, NOON + HOUR, since=0.0) == 2
    ours.report(identify("a", "one@home", NOON + HOUR), identify("b", "one@home", NOON + HOUR))
    assert look(ours, NOON + 2 * HOUR, since=0.0) == 0
    ours.one(Withdrawal(customer_id="a"), NOON + 2 * HOUR)
    assert sorted(ours.store.due(NOON + 3 * HOUR, 9)) == ["a", "b"]
    assert look(ours, NOON + 3 * HOUR, since=0.0) == 0


def test_an_absence_ends_with_a_visit_under_any_id() -> None:
    ours = linked("  lost: {absence: {of: visit, for: 6d}, silence: true}")
    ours.report(event("a", "visit", NOON))
    ours.report(event("b", "visit", NOON + 3 * DAY))
    assert [look(ours, NOON + day * DAY) for day in (4, 6, 7, 9, 10)] == [0, 0, 0, 1, 0]


def test_two_events_of_one_person_are_decided_one_after_the_other() -> None:
    ours = linked("  thanks: {on: {event: purchase}, silence: true}")
    ours.report(event("a", "purchase", NOON), event("b", "purchase", NOON))
    assert len(pushed(ours)) == 2


def test_a_look_at_nobody_makes_nobody() -> None:
    ours = business(OFTEN)
    assert ours.one(Look(customer_id="gone", at=NOON, since={}), NOON) == Looked(fired=0)
    assert ours.store.known("gone") == []


def test_a_complaint_under_another_id_goes_into_the_ticket_that_is_open() -> None:
    ours = linked("  {}", text=TICKETS)
    ours.report(event("a", "complaint", NOON))
    ours.report(event("b", "complaint", NOON + HOUR))
    [row] = ours.store.tickets()
    assert row.version == 2
    told: Mapping[str, Any] = orjson.loads(ours.service.customer("b", NOON + HOUR))
    assert [(t["ticket_id"], t["customer_id"]) for t in told["tickets"]] == [(row.ticket_id, "a")]


def test_of_an_erased_person_open_tickets_go_and_settled_ones_lose_text_and_names() -> None:
    ours = linked("  {}", text=TICKETS)
    ours.report(event("a", "nps", NOON, value=3.0))
    [settled] = ours.store.tickets()
    update = TicketUpdate(
        ticket_id=settled.ticket_id, version=1, change={"status": "closed"}, who="ada", note="called", at=NOON
    )
    assert isinstance(ours.one(update, NOON), TicketTold)
    ours.report(event("b", "complaint", NOON + HOUR))
    assert len(ours.store.tickets()) == 2
    ours.one(Erasure(customer_id="b", who="ada"), NOON + HOUR)
    [left] = ours.store.tickets()
    assert (left.ticket_id, left.reason, left.owner) == (settled.ticket_id, "", None)
    assert left.closed_at is not None
    told = {(c.who, c.note, len(c.what)) for c in ours.store.ticket_changes(left.ticket_id)}
    assert told == {("", None, 0)}
