"""Daily limits, contacts that give way, contacts that were not sent: the ledger beside the caps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import orjson
import pytest

from nba.errors import Conflict
from nba.model import Activation
from nba.stores.open import open_store
from tests.service.business import DAY, NOON, OPEN, Business, answered, consents, outcome, request
from tests.service.test_answers import ALWAYS

EVENING = ALWAYS.replace("timing: now}", "timing: evening}")
LIMITED = ALWAYS.replace(
    "offer: {channels: [email, push], timings: [now, evening]}",
    "offer: {channels: [email, push], timings: [now, evening], daily: {contacts: 5}}",
)
PRIORITY = """
name: priority
currency: EUR
touchpoints: [visit, purchase]
objectives: {window: 7d, outcomes: {purchase: {value: amount}}}
stages: [{name: any, when: "true"}]
channels: {email: {}}
timings: {now: {}, evening: {from: "18:00", to: "21:00"}}
actions:
  news: {channels: [email], timings: [evening]}
  alarm: {channels: [email], timings: [now], priority: 5, when: "visit_total > 0"}
contact: {caps: [{max: 1, within: 7d}]}
incumbent:
  - {when: "visit_total > 0", action: alarm, channel: email, timing: now}
  - {action: news, channel: email, timing: evening}
exploration: {floor: 0}
groups: {holdout: 0, random_eligible: 0}
"""


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("store")
    return "memory:" if request.param == "memory" else f"sqlite:///{folder}/nba.db"


def business(text: str, url: str, customers: int) -> Iterator[Business]:
    with closing(open_store(url)) as store:
        business = Business.of(text, store)
        business.report(*(consents(f"c{i}") for i in range(customers)))
        yield business


def test_a_daily_limit_holds_within_one_batch_and_over_batches(url: str) -> None:
    for shop in business(LIMITED, url, 20):
        first = shop.service.handle([request(f"c{i}") for i in range(7)], NOON)
        contacted = [answered(answer)["action"] for answer in first]
        assert contacted == ["offer"] * 5 + ["no_contact"] * 2
        assert shop.decide("c8")["action"] == "no_contact"
        refused = shop.trace(shop.decide("c9", explain=True)["decision_id"])["trace"]["refused"]
        assert refused["offer/push/now"] == "actions.offer.daily"
        assert shop.decide("c10", now=NOON + DAY)["action"] == "offer"


def test_what_was_not_sent_gives_back_its_place_in_cap_and_limit(url: str) -> None:
    text = LIMITED.replace("contacts: 5", "contacts: 1").replace("max: 2", "max: 1")
    for shop in business(text, url, 2):
        first = shop.decide("c0")
        assert (first["action"], shop.decide("c0")["action"], shop.decide("c1")["action"]) == (
            "offer",
            "no_contact",
            "no_contact",
        )
        report = outcome("not_sent", None, decision_id=first["decision_id"], id="o")
        assert shop.report(report).accepted == 1
        assert shop.report(report).duplicates == 1
        again = outcome("not_sent", None, decision_id=first["decision_id"])
        assert shop.report(again).accepted == 1  # said twice under two ids gives back once
        assert shop.decide("c0")["action"] == "offer"
        assert shop.decide("c1")["action"] == "no_contact"


def test_not_sent_names_its_decision(url: str) -> None:
    for shop in business(ALWAYS, url, 1):
        receipt = shop.report(outcome("not_sent", None, customer_id="c0"))
        assert "decision_id" in receipt.rejected[0].detail


def test_what_was_reported_as_not_sent_can_no_longer_be_shown(url: str) -> None:
    for shop in business(ALWAYS, url, 1):
        held = shop.decide("c0", activate=False)
        shop.report(outcome("not_sent", None, decision_id=held["decision_id"]))
        assert isinstance(shop.one(Activation(decision_id=held["decision_id"]), NOON + 1), Conflict)


def test_a_held_contact_gives_its_place_in_the_limit_back_when_its_time_is_over(url: str) -> None:
    for shop in business(LIMITED.replace("contacts: 5", "contacts: 1"), url, 2):
        assert shop.decide("c0", activate=False)["action"] == "offer"
        assert shop.decide("c1", now=NOON + 1_799)["action"] == "no_contact"
        assert shop.decide("c1", now=NOON + 1_800)["action"] == "offer"


def test_a_spending_limit_counts_what_contacts_cost(url: str) -> None:
    text = LIMITED.replace("contacts: 5", "spend: 0.35")  # a push costs 0.10
    for shop in business(text, url, 9):
        actions = [shop.decide(f"c{i}")["action"] for i in range(6)]
        assert actions == ["offer"] * 3 + ["no_contact"] * 3


def test_a_valuable_message_takes_the_place_of_a_newsletter_that_is_not_sent_yet(url: str) -> None:
    for shop in business(PRIORITY, url, 1):
        newsletter = shop.decide("c0", now=NOON)
        assert newsletter["action"] == "news"
        shop.report(outcome("visit", None, customer_id="c0"), now=NOON + 60)
        alarm = shop.decide("c0", now=NOON + 120)
        assert (alarm["action"], alarm["displaced"]) == ("alarm", [newsletter["decision_id"]])
        messages = orjson.loads(shop.service.outbox(0, 10))["messages"]
        assert [(m["type"], m["customer_id"], m["decision_id"]) for m in messages] == [
            ("decision.displaced", "c0", newsletter["decision_id"])
        ]
        assert messages[0]["data"]["displaced_by"] == alarm["decision_id"]
        assert orjson.loads(shop.service.outbox(messages[0]["number"], 10))["messages"] == []
        again = shop.decide("c0", now=NOON + 180)
        assert (again["action"], again["reason"]) == ("no_contact", "contact.caps[0]")


def test_what_is_sent_stays_sent(url: str) -> None:
    for shop in business(PRIORITY, url, 1):
        newsletter = shop.decide("c0", now=NOON)
        shop.report(outcome("visit", None, customer_id="c0"), now=NOON + 60)
        late = shop.decide("c0", now=NOON + 9 * 3_600)  # the newsletter went out at 18:00
        assert (newsletter["action"], late["action"]) == ("news", "no_contact")


def test_silence_and_equal_priority_displace_nothing(url: str) -> None:
    for shop in business(PRIORITY.replace("priority: 5, ", ""), url, 1):
        shop.decide("c0", now=NOON)
        shop.report(outcome("visit", None, customer_id="c0"), now=NOON + 60)
        assert shop.decide("c0", now=NOON + 120)["action"] == "no_contact"
        assert orjson.loads(shop.service.outbox(0, 10)) == {"messages": [], "next": 0}


def test_no_limit_asks_the_store_for_nothing(url: str) -> None:
    for shop in business(OPEN, url, 1):
        assert shop.trace(shop.decide("c0")["decision_id"])["trace"]["used"] == []
