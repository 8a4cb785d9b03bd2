"""A change of stage is noticed by events and decisions, kept, and told once as an event of its own."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from nba.features.rows import moves
from nba.model import Report, Reports
from nba.playbook.compile import parse
from nba.playbook.rules import compile_rule
from nba.staging import CHANGED, STANDS
from nba.stores.ports import CustomerRow, TouchpointRow
from tests.service.business import DAY, HOUR, NOON, OPEN, Business

LOOPING = OPEN.replace(
    "touchpoints: [visit, purchase]", "touchpoints: [visit, purchase, stage_changed]"
).replace(
    '{name: buyer, when: "purchase_total > 0"}',
    '{name: moved, when: "stage_changed_total > 0"}\n  - {name: buyer, when: "purchase_total > 0"}',
)


def event(customer: str, type: str, at: float, id: str | None = None, **more: Any) -> Report:
    return Report(
        source="event",
        id=id or f"{customer}.{type}.{at}",
        type=type,
        customer_id=customer,
        occurred_at=at,
        **more,
    )


def changes(business: Business) -> list[TouchpointRow]:
    rows = [row for chunk in business.store.touchpoints(-np.inf, np.inf) for row in chunk]
    return [row for row in rows if row.type == CHANGED]


def row(business: Business, customer: str) -> CustomerRow:
    with business.store.transaction() as transaction:
        return transaction.customers([customer])[customer]


def test_an_event_that_moves_a_customer_on_is_followed_by_the_change_in_the_same_transaction() -> None:
    business = Business.of()
    business.report(event("a", "visit", NOON))
    assert changes(business) == [], "the first stage is no change"
    business.report(event("a", "purchase", NOON + HOUR, value=9.0))
    (change,) = changes(business)
    assert json.loads(str(change.properties)) == {"from": "visitor", "to": "buyer", "since": NOON}
    assert (change.occurred_at, change.source) == (NOON + HOUR, "event")
    assert row(business, "a").attributes[STANDS] == ["buyer", NOON + HOUR]


def test_repeating_an_event_tells_no_second_change() -> None:
    business = Business.of()
    business.report(event("a", "visit", NOON))
    for _ in range(3):
        business.report(event("a", "purchase", NOON + HOUR))
    assert len(changes(business)) == 1


def test_a_change_that_comes_with_time_is_noticed_by_the_decision_and_lies_before_it() -> None:
    business = Business.of(OPEN.replace("purchase_total > 0", "days_since_purchase < 7"))
    business.report(event("a", "purchase", NOON))
    told = business.decide("a", NOON + 8 * DAY)
    assert told["stage"] == "visitor"
    (change,) = changes(business)
    assert NOON + 8 * DAY - 1 < change.occurred_at < NOON + 8 * DAY
    assert json.loads(str(change.properties))["to"] == "visitor"
    business.decide("a", NOON + 9 * DAY)
    assert len(changes(business)) == 1


def test_a_change_that_changes_the_stage_makes_no_loop() -> None:
    business = Business.of(LOOPING)
    business.report(event("a", "visit", NOON))
    business.report(event("a", "purchase", NOON + HOUR))
    assert len(changes(business)) == 1
    assert business.decide("a", NOON + 2 * HOUR)["stage"] == "moved"
    for hour in range(3, 9):
        business.decide("a", NOON + hour * HOUR)
    assert len(changes(business)) == 2


def test_many_customers_in_one_body_each_have_their_own_change() -> None:
    business = Business.of()
    names = [f"c{i}" for i in range(30)]
    business.service.handle([Reports(items=tuple(event(n, "visit", NOON) for n in names))], NOON)
    bought = names[::3]
    business.service.handle([Reports(items=tuple(event(n, "purchase", NOON + HOUR) for n in bought))], NOON)
    assert len({change.surrogate for change in changes(business)}) == len(changes(business)) == 10


def test_stages_that_ask_for_context_are_noticed_at_decisions_alone() -> None:
    business = Business.of(OPEN.replace("purchase_total > 0", "device == 'ios'"))
    business.report(event("a", "visit", NOON))
    assert STANDS not in row(business, "a").attributes
    business.decide("a", NOON + HOUR, context={"device": "ios"})
    assert row(business, "a").attributes[STANDS][0] == "buyer"


def test_a_decision_answers_the_same_whether_or_not_stages_were_kept_before() -> None:
    one, other = Business.of(), Business.of()
    one.report(event("a", "visit", NOON))
    other.report(event("a", "visit", NOON))
    other.service.handle([Reports(items=(event("a", "visit", NOON),))], NOON)
    assert one.decide("a", NOON + HOUR, id="d1") == other.decide("a", NOON + HOUR, id="d1")


def test_odds_to_move_on_and_to_fall_back_are_those_of_stages_up_and_down_the_list() -> None:
    following = np.array([[0.1, 0.2, 0.7], [0.1, 0.2, 0.7], [0.1, 0.2, 0.7], [np.nan] * 3])
    found = moves(np.array([0.0, 1.0, 2.0, 1.0]), following)
    np.testing.assert_allclose(found[:3], [[0.0, 0.9], [0.1, 0.7], [0.3, 0.0]])
    assert np.isnan(found[3]).all()
    assert np.isnan(moves(np.array([np.nan]), following[:1])).all()


def test_move_on_and_fall_back_are_features_only_where_the_playbook_asks_for_them() -> None:
    with_moves = parse(OPEN + "scores: {stages: true}\n")
    assert with_moves.schema.names[-2:] == ("move_on", "fall_back")
    assert "move_on" not in parse(OPEN).schema.index
    assert parse(OPEN + "scores: {stages: false}\n").fingerprint == parse(OPEN).fingerprint
    with pytest.raises(ValueError, match="not known yet"):
        compile_rule("move_on > 0.5", with_moves.schema, frozenset({"stage"}))


def test_linked_customers_stand_in_one_place_and_change_once() -> None:
    business = Business.of(OPEN + "identities: {link: [crm]}\n")
    for name in ("a", "b"):
        business.report(event(name, "visit", NOON))
        business.report(
            event(name, "identify", NOON, id=f"{name}.link", properties={"kind": "crm", "value": "7"})
        )
    business.report(event("a", "purchase", NOON + HOUR))
    assert business.decide("b", NOON + 2 * HOUR)["stage"] == "buyer"
    business.report(event("b", "visit", NOON + 3 * HOUR))
    (change,) = changes(business)
    assert json.loads(str(change.properties))["to"] == "buyer"
