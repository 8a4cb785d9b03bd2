"""Tickets: opened by what happens, moved on by hand, and what decisions, rewards and ledger know of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba.errors import Conflict, InvalidInput, NotFound
from nba.model import Reports, Result, TicketOpening, TicketTold, TicketUpdate
from nba.stores.memory import MemoryStore
from nba.ticket_pages import ticket as ticket_page
from nba.tickets import MOVES, STATUSES, UNSETTLED
from tests.service.business import DAY, HOUR, NOON, OPEN, Business, consents, event, outcome, request
from training.policy.log import read_log

TICKETS = (
    OPEN.replace(
        "touchpoints: [visit, purchase]", "touchpoints: [visit, purchase, ticket_opened, ticket_closed]"
    ).replace("contact:\n", "contact:\n  stops: [{name: open-ticket, when: open_tickets > 0}]\n")
    + """
tickets:
  rules:
    - {name: detractor, on: {event: nps, at_most: 6}, due: 24h, queue: care, owner: ada}
    - {name: sorry, on: {event: nps, at_most: 8}}
    - {name: complaint, on: {event: complaint, within: 2d}, due: 4h}
"""
)
_ids = count()


def opening(customer: str, at: float | None = NOON, **asked: Any) -> TicketOpening:
    given = {"ticket_id": f"t{next(_ids)}", "reason": "called", "who": "ada", **asked}
    return TicketOpening(customer_id=customer, at=at, **given)


def moving(ticket: Mapping[str, Any], at: float | None = NOON + HOUR, **asked: Any) -> TicketUpdate:
    note, version = asked.pop("note", None), asked.pop("version", ticket["version"])
    return TicketUpdate(
        ticket_id=ticket["ticket_id"], version=version, change=asked, who="bo", note=note, at=at
    )


def told(result: Result) -> Mapping[str, Any]:
    assert isinstance(result, TicketTold), result
    body: Mapping[str, Any] = orjson.loads(result.body)
    return body


def of(business: Business, customer: str) -> list[Mapping[str, Any]]:
    """A customer's tickets with their histories, oldest first."""
    surrogate = business.store.surrogate_of(customer)
    return [ticket_of(business, row.ticket_id) for row in business.store.tickets(surrogates=[surrogate])]


def ticket_of(business: Business, ticket_id: str) -> Mapping[str, Any]:
    body: Mapping[str, Any] = orjson.loads(ticket_page(business.store, ticket_id))
    return body


def messages(business: Business) -> list[tuple[str, str]]:
    return [(row.type, row.decision_id) for row in business.store.outbox(0)]


@pytest.fixture
def business() -> Business:
    return Business.of(TICKETS)


def test_a_detractor_gets_a_ticket_by_the_first_rule_that_is_met(business: Business) -> None:
    business.report(event("c", "nps", NOON, value=3.0, id="answer"))
    [ticket] = of(business, "c")
    assert (ticket["rule"], ticket["status"], ticket["queue"], ticket["owner"]) == (
        "detractor", "open", "care", "ada",
    )  # fmt: skip
    assert (ticket["reason"], ticket["event"]) == ("nps 3", {"type": "nps", "id": "answer"})
    assert (ticket["opened_at"], ticket["due_at"]) == ("2025-06-15T12:00:00Z", "2025-06-16T12:00:00Z")
    assert messages(business) == [("ticket.opened", "")]


def test_who_is_no_detractor_gets_none(business: Business) -> None:
    business.report(event("c", "nps", NOON, value=9.0), event("c", "visit", NOON))
    assert of(business, "c") == []


def test_one_event_opens_one_ticket_however_often_it_is_told(business: Business) -> None:
    for _ in range(3):
        business.report(event("c", "complaint", NOON, id="same"))
    assert len(of(business, "c")) == 1


def test_another_complaint_while_one_is_open_is_added_to_its_history(business: Business) -> None:
    business.report(event("c", "complaint", NOON, id="first"))
    business.report(event("c", "complaint", NOON + HOUR, id="second"))
    [ticket] = of(business, "c")
    assert [change["what"].get("event_id") for change in ticket["history"]] == [None, "second"]
    assert (ticket["version"], ticket["due_at"]) == (2, "2025-06-15T16:00:00Z")
    assert messages(business) == [("ticket.opened", ""), ("ticket.changed", "")]


def test_another_complaint_after_it_was_settled_opens_another(business: Business) -> None:
    business.report(event("c", "complaint", NOON))
    told(business.one(moving(of(business, "c")[0], status="resolved")))
    business.report(event("c", "complaint", NOON + 2 * HOUR))
    assert [t["status"] for t in of(business, "c")] == ["resolved", "open"]


def test_an_old_event_is_no_reason_to_act_any_more() -> None:
    business = Business.of(TICKETS, MemoryStore("live"))
    business.report(event("c", "complaint", NOON - 3 * DAY), event("d", "complaint", NOON - DAY))
    assert (len(of(business, "c")), len(of(business, "d"))) == (0, 1)


def test_while_a_ticket_is_open_nothing_is_sold_and_afterwards_it_is() -> None:
    business = Business.of(TICKETS)
    business.report(consents("c"))
    business.report(event("c", "complaint", NOON))
    stopped = business.decide("c", NOON)
    assert (stopped["action"], stopped["reason"]) == ("no_contact", "contact.stops.open-ticket")
    told(business.one(moving(of(business, "c")[0], NOON + 1, status="in_progress")))
    assert business.decide("c", NOON + 1)["reason"] == "contact.stops.open-ticket"
    [ticket] = of(business, "c")
    told(business.one(moving(ticket, NOON + 2, status="resolved")))
    assert "reason" not in business.decide("c", NOON + 2)
    [ticket] = of(business, "c")
    told(business.one(moving(ticket, NOON + 3, status="open")))
    assert business.decide("c", NOON + 3)["reason"] == "contact.stops.open-ticket"


def test_a_decision_that_comes_in_with_the_complaint_knows_of_it() -> None:
    business = Business.of(TICKETS, MemoryStore("live"))
    business.report(consents("c", at=None))
    complaint = Reports(items=(event("c", "complaint", None),))
    _, answer = business.service.handle([complaint, request("c")], NOON)
    assert b"contact.stops.open-ticket" in answer.body  # type: ignore[union-attr]


def test_what_is_on_its_way_is_taken_back_when_a_ticket_opens(business: Business) -> None:
    business.report(consents("c"))
    later = business.decide("c", NOON, actions=("offer",), channels=("email",), id="later")
    while later["timing"] != "evening":  # drawn by its id
        business = Business.of(TICKETS)
        business.report(consents("c"))
        later = business.decide("c", NOON, actions=("offer",), channels=("email",))
    business.report(event("c", "complaint", NOON + HOUR))
    assert messages(business) == [
        ("decision.withdrawn", later["decision_id"]),
        ("ticket.opened", ""),
    ]
    contact = business.store.contact(later["decision_id"])
    assert contact is not None
    assert contact.status == "released"


def test_settling_is_an_outcome_that_says_whether_it_was_in_time(business: Business) -> None:
    business.report(event("c", "complaint", NOON), event("d", "complaint", NOON))
    told(business.one(moving(of(business, "c")[0], NOON + HOUR, status="closed")))
    late = told(business.one(moving(of(business, "d")[0], NOON + 5 * HOUR, status="resolved")))
    assert late["in_time"] is False
    rows = [row for part in business.store.touchpoints(NOON, NOON + DAY) for row in part]
    closed = {row.surrogate: (row.source, row.value) for row in rows if row.type == "ticket_closed"}
    surrogates = [business.store.surrogate_of(c) or "" for c in "cd"]
    assert [closed[s] for s in surrogates] == [("outcome", 1.0), ("outcome", 0.0)]


def test_of_two_changes_to_one_version_the_second_is_told_to_look_again(business: Business) -> None:
    business.report(event("c", "complaint", NOON))
    [ticket] = of(business, "c")
    first, second = business.service.handle([moving(ticket, owner="x"), moving(ticket, owner="y")], NOON)
    assert told(first)["owner"] == "x"
    assert isinstance(second, Conflict)
    assert "version 2" in second.detail


@given(st.lists(st.sampled_from(STATUSES), max_size=6))
def test_a_ticket_moves_along_the_ways_there_are_and_open_tickets_counts_the_unsettled(
    asked: list[str],
) -> None:
    business = Business.of(TICKETS)
    business.report(consents("c"))
    ticket = told(business.one(opening("c")))
    status, at = "open", NOON
    for wanted in asked:
        at += HOUR
        result = business.one(moving(ticket, at, status=wanted))
        if wanted != status and wanted not in MOVES[status]:  # type: ignore[index]
            assert isinstance(result, Conflict)
            continue
        ticket, status = told(result), wanted
        assert (ticket["closed_at"] is None) == (status in UNSETTLED)
        refused = business.decide("c", at).get("reason") == "contact.stops.open-ticket"
        assert refused == (status in UNSETTLED)
    assert [change["version"] for change in ticket["history"]] == list(range(1, ticket["version"] + 1))


def test_a_ticket_opened_by_hand_is_opened_once(business: Business) -> None:
    first = business.one(opening("c", ticket_id="crm-1"))
    again = business.one(opening("c", ticket_id="crm-1", at=NOON + DAY))
    other = business.one(opening("d", ticket_id="crm-1"))
    assert told(first) == told(again)
    assert isinstance(first, TicketTold)
    assert isinstance(again, TicketTold)
    assert (first.made, again.made) == (True, False)
    assert isinstance(other, Conflict)
    assert len(of(business, "c")) == 1


def test_two_who_open_one_id_at_once_open_one_ticket(business: Business) -> None:
    results = business.service.handle([opening("c", ticket_id="t-9"), opening("d", ticket_id="t-9")], NOON)
    assert [type(result) for result in results] == [TicketTold, Conflict]


def test_time_comes_with_the_request_where_the_store_is_a_simulation(business: Business) -> None:
    assert isinstance(business.one(opening("c", None)), InvalidInput)
    business.report(event("c", "visit", NOON + DAY))
    assert isinstance(business.one(opening("c", NOON)), Conflict)
    live = Business.of(TICKETS, MemoryStore("live"))
    assert isinstance(live.one(opening("c", NOON)), InvalidInput)
    assert told(live.one(opening("c", None)))["opened_at"] == "2025-06-15T12:00:00Z"


def test_a_ticket_that_is_not_there_is_not_found(business: Business) -> None:
    nothing = {"ticket_id": "nope", "version": 1}
    assert isinstance(business.one(moving(nothing, status="closed")), NotFound)


@pytest.mark.parametrize(("type", "value"), [("nps", 11.0), ("nps", 3.5), ("csat", -1.0), ("ces", 10.5)])
def test_a_score_that_no_survey_has_is_rejected_and_opens_nothing(
    business: Business, type: str, value: float
) -> None:
    receipt = business.report(event("c", type, NOON, value=value, id="e"), outcome("nps", customer_id="c"))
    assert [(r.id, f"an answer of type {type} is" in r.detail) for r in receipt.rejected] == [("e", True)]
    assert receipt.accepted == 1


def test_settling_in_time_counts_towards_the_reward_of_what_was_decided_before() -> None:
    """`no_contact` among it: the clock is the same for every arm."""
    text = TICKETS.replace("purchase: {value: amount}}", "ticket_closed: {value: amount, weight: 2}}")
    business = Business.of(text)
    business.report(event("c", "complaint", NOON))
    silence = business.decide("c", NOON + HOUR)
    told(business.one(moving(of(business, "c")[0], NOON + 2 * HOUR, status="resolved")))
    log = read_log(business.store, business.live.current.playbook, as_of=NOON + 30 * DAY)
    assert log.decision_id.tolist() == [silence["decision_id"]]
    assert log.reward.tolist() == [2.0]
