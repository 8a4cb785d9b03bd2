"""What one transaction knows of a customer's contacts while it changes them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import orjson
import pytest

from nba.errors import Conflict
from nba.model import Activated, Activation, Answer, BroughtAction
from nba.stores.memory import MemoryStore
from nba.stores.open import open_store
from tests.service.business import DAY, NOON, Business, answered, consents, event, outcome, request
from tests.service.test_answers import ALWAYS
from tests.service.test_limits import LIMITED, PRIORITY

SHOP = """
name: shop
currency: EUR
touchpoints: [visit, purchase]
objectives: {window: 7d, outcomes: {purchase: {value: amount}}}
stages: [{name: any, when: "true"}]
channels: {email: {}}
timings: {now: {}, evening: {from: "18:00", to: "21:00"}}
actions:
  news: {channels: [email], timings: [evening]}
  drop: {channels: [email], timings: [now], priority: 10}
catalogue: {cooldown: 30d, priority: 50, timings: [evening]}
contact: {caps: [{max: 3, within: 7d}]}
exploration: {explorer: uniform, floor: 0}
groups: {holdout: 0, random_eligible: 0}
"""
SKU = (BroughtAction(id="sku-1"),)


@pytest.fixture(params=["memory", "sqlite"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Business]:
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/nba.db"
    with closing(open_store("memory:" if request.param == "memory" else url)) as store:
        business = Business.of(SHOP, store)
        business.report(consents("c0"))
        yield business


def until(business: Business, action: str, now: float, **asked: object) -> str:
    """Ask until this action is drawn; the decision's id."""
    for _ in range(50):
        answer = business.decide("c0", now=now, actions=(action,), **asked)
        if answer["action"] == action:
            return str(answer["decision_id"])
    raise AssertionError(f"{action} was never drawn")


def test_after_a_displacement_the_rest_of_the_batch_still_obeys_the_cap(shop: Business) -> None:
    for _ in range(3):
        until(shop, "news", NOON)
    asked = [request("c0", actions=("drop",)) for _ in range(24)]
    answers = [answered(result) for result in shop.service.handle(asked, NOON + 60)]
    drops = [answer for answer in answers if answer["action"] == "drop"]
    displaced = [id for answer in drops for id in answer.get("displaced", ())]
    assert (len(drops), len(displaced), len(set(displaced))) == (3, 3, 3)


def test_a_longer_look_back_is_read_anew_within_a_batch(shop: Business) -> None:
    until(shop, "sku-1", NOON, brought=SKU)
    later = NOON + 10 * DAY
    asked = [
        request("c0", actions=("news",)),
        *(request("c0", actions=("sku-1",), brought=SKU) for _ in range(12)),
    ]
    answers = [answered(result) for result in shop.service.handle(asked, later)]
    assert [answer["action"] for answer in answers[1:]] == ["no_contact"] * 12
    assert answers[1]["reason"] == "actions.sku-1.cooldown"


def test_a_brought_contact_keeps_its_priority_where_it_is_not_brought_again(shop: Business) -> None:
    business = Business.of(SHOP.replace("max: 3", "max: 1"), shop.store)
    until(business, "sku-1", NOON, brought=SKU)
    for i in range(20):
        assert business.decide("c0", now=NOON + 60 + i, actions=("drop",))["action"] == "no_contact"


def test_what_was_shown_gives_way_to_nothing(shop: Business) -> None:
    business = Business.of(SHOP.replace("max: 3", "max: 1"), shop.store)
    held = until(business, "news", NOON, activate=False)
    assert business.one(Activation(decision_id=held), NOON + 10) == Activated()
    for i in range(20):
        assert business.decide("c0", now=NOON + 60 + i, actions=("drop",))["action"] == "no_contact"


def test_what_gave_way_can_not_be_shown_and_its_repeat_is_expired() -> None:
    business = Business.of(PRIORITY, MemoryStore(secret=b"k" * 32))
    business.report(consents("c0"))
    asked = request("c0", id="news")
    assert answered(business.one(asked, NOON))["action"] == "news"
    business.report(event("c0", "visit", None), now=NOON + 60)
    assert business.decide("c0", now=NOON + 120)["displaced"] == ["news"]
    assert isinstance(business.one(Activation(decision_id="news"), NOON + 180), Conflict)
    again = business.one(asked, NOON + 180)
    assert isinstance(again, Answer)
    assert (again.repeated, again.expired) == (True, True)
    assert business.trace("news")["trace"]["contact"] == "displaced"


def test_on_the_request_clock_reports_lapse_nothing() -> None:
    business = Business.of(LIMITED, MemoryStore("request", secret=b"k" * 32))
    business.report(consents("c0"))
    business.decide("c0", NOON, id="held", activate=False)
    business.report(event("c0", "visit", NOON + 60), now=NOON + 400 * DAY)
    assert business.one(Activation(decision_id="held"), NOON + 400 * DAY) == Activated()


def test_a_decision_of_the_first_version_is_repeated_and_explained() -> None:
    """Its digest was one hash over all, and its trace had no ledger, consents or names of rules."""
    business = Business.of(ALWAYS, MemoryStore("request", secret=b"k" * 32))
    asked = request("c0", NOON, id="old", context={"device": "ios"})
    first = answered(business.one(asked))
    row = business.store.decision("old")
    assert row is not None
    meaning = ("c0", {"device": "ios"}, None, None, True, False, NOON)
    digest = hashlib.sha256(orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)).digest()
    kept = {"uniform", "state_version", "scores", "best", "actions", "channels"}
    trace = {name: value for name, value in orjson.loads(row.trace).items() if name in kept}
    old = replace(row, decision_id="older", digest=digest, trace=orjson.dumps(trace))
    with business.store.transaction() as transaction:
        transaction.append_decisions([old])
    again = business.one(replace(asked, decision_id="older"))
    assert isinstance(again, Answer)
    assert (again.repeated, orjson.loads(again.body)) == (True, first)
    other = business.one(replace(asked, decision_id="older", explain=True))
    assert isinstance(other, Conflict)
    whole = business.trace("older")
    assert whole["trace"]["refused"]["offer/push/now"] == "consent"


def test_not_sent_twice_over_two_decisions_gives_back_each_once(shop: Business) -> None:
    ids = [until(shop, "news", NOON) for _ in range(2)]
    for id in ids * 2:
        shop.report(outcome("not_sent", None, decision_id=id), now=NOON + 1)
    assert [until(shop, "news", NOON + 2) for _ in range(3)]
    assert shop.decide("c0", now=NOON + 3, actions=("news",))["reason"] == "contact.caps[0]"
