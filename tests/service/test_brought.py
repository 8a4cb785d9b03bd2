"""Actions of the caller's own catalogue: same rules, same log, same trace."""

from __future__ import annotations

import pytest

from nba.errors import InvalidInput
from nba.model import BroughtAction
from nba.stores.memory import MemoryStore
from tests.service.business import NOON, OPEN, Business, consents, request, trained

CATALOGUE = OPEN.replace("contact:\n", "catalogue: {attributes: {price: 10}, channels: [push]}\ncontact:\n")
CHEAP, DEAR = (
    BroughtAction(id="cheap", features=(("price", 2.0),)),
    BroughtAction(id="dear", features=(("colour", 1.0), ("price", 9.0))),
)


def shop(text: str = CATALOGUE) -> Business:
    business = Business.of(text, MemoryStore("request", secret=b"k" * 32))
    business.report(*(consents(f"c{i}") for i in range(40)))
    return business


def test_brought_actions_are_drawn_by_the_same_policy_under_the_same_rules() -> None:
    business = shop()
    business.serve(trained(business.live.current.playbook))
    names = ("cheap", "dear")
    answers = [
        business.decide(f"c{i}", NOON, actions=names, brought=(CHEAP, DEAR), explain=True) for i in range(40)
    ]
    assert {answer["action"] for answer in answers} <= {"cheap", "dear", "no_contact"}
    assert {answer["channel"] for answer in answers if answer["channel"]} == {"push"}
    first = answers[0]
    assert {a["arm"] for a in first["alternatives"]} == {
        "no_contact",
        "cheap/push/now",
        "cheap/push/evening",
        "dear/push/now",
        "dear/push/evening",
    }
    assert first["refused"]["offer/push/now"] == "request.actions"
    assert first["playbook"] == business.live.current.playbook.version
    assert sum(a["odds"] for a in first["alternatives"]) == pytest.approx(1.0, abs=1e-9)


def test_what_the_learner_does_not_know_is_ignored_and_named() -> None:
    answer = shop().decide("c0", NOON, actions=("dear",), brought=(DEAR,), context={"weather": "wet"})
    assert answer["ignored"] == ["weather", "actions.features.colour"]


def test_caps_count_brought_contacts_too() -> None:
    business = shop(CATALOGUE.replace("explorer: squarecb", "explorer: uniform"))
    answers = [
        business.decide("c0", NOON + i, actions=("cheap",), brought=(CHEAP,), id=f"n{i}") for i in range(40)
    ]
    assert sum(answer["channel"] is not None for answer in answers) == 2
    assert answers[-1]["reason"] == "contact.caps[0]"
    assert business.decide("c0", NOON + 41)["reason"] == "contact.caps[0]"


def test_the_trace_knows_what_was_brought() -> None:
    business = shop()
    answer = business.decide("c0", NOON, actions=("cheap",), brought=(CHEAP,))
    trace = business.trace(answer["decision_id"])["trace"]
    assert trace["brought"] == [["cheap", {"price": 2.0}]]
    assert "cheap/push/now" in {a["arm"] for a in trace["alternatives"]}


def test_an_action_of_the_playbook_cannot_be_brought() -> None:
    mine = BroughtAction(id="offer", features=(("price", 1.0),))
    result = shop().one(request("c0", NOON, actions=("offer",), brought=(mine,)))
    assert isinstance(result, InvalidInput)
    assert result.errors[0].field == "actions[0].id"


def test_requests_with_and_without_a_catalogue_share_a_batch() -> None:
    business = shop()
    commands = [
        request("c0", NOON, id="a"),
        request("c1", NOON, id="b", actions=("cheap",), brought=(CHEAP,)),
        request("c2", NOON, id="c"),
        request("c3", NOON, id="d", actions=("dear", "news"), brought=(DEAR,)),
    ]
    together = business.service.handle(commands, NOON)
    alone = shop()
    apart = [alone.one(command) for command in commands]
    assert together == apart
