"""The playbook changes under a store that goes on: state, traces and limits carry over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from nba.playbook.compile import parse
from nba.stores.open import open_store
from nba.stores.ports import Store
from tests.service.business import DAY, NOON, Business, consents, event
from tests.service.test_answers import ALWAYS

CHANGED = (
    ALWAYS.replace("touchpoints: [visit, purchase]", "touchpoints: [purchase, review_read, visit]")
    .replace("purchase_total > 0", "purchase_count_30d > 0")
    .replace(
        "  news: {channels: [email], timings: [now], category: news}\n",
        "  gift: {channels: [push], timings: [now]}\n",
    )
    .replace("{email: {cost: 0.5}, push: {cost: 0.1}}", "{push: {cost: 0.1}, email: {cost: 0.5}, sms: {}}")
)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/nba.db"
    with closing(open_store("memory:" if request.param == "memory" else url, "request")) as store:
        yield store


def features(business: Business, decision: str) -> dict[str, float]:
    return dict(business.trace(decision)["trace"]["features"])


def test_state_carries_over_to_a_playbook_that_declares_other_touchpoints(store: Store) -> None:
    before = Business.of(ALWAYS, store)
    before.report(consents("c0"), event("c0", "purchase", NOON - DAY, value=20.0, channel="email"))
    before.report(event("c0", "visit", NOON - 2 * DAY))
    before.decide("c0", NOON, id="old")
    after = Business.of(CHANGED, store)
    after.report(event("c0", "review_read", NOON + 1))
    after.decide("c0", NOON + 1, id="new")
    old, new = features(before, "old"), features(after, "new")
    for name in ("purchase_total", "visit_total"):
        assert new[name] == old[name] == 1.0
    assert new["purchase_value_hl7"] == pytest.approx(old["purchase_value_hl7"], rel=1e-5), "a second later"
    assert new["via_email_value_hl30"] == pytest.approx(old["via_email_value_hl30"], rel=1e-5)
    assert new["contact_total"] == 1.0
    assert new["review_read_total"] == 1.0
    assert "review_read_total" not in old


def test_the_ledger_and_the_ids_outlive_the_playbook(store: Store) -> None:
    before = Business.of(ALWAYS, store)
    before.report(consents("c0"))
    answers = [before.decide("c0", NOON, id=f"old{i}") for i in range(2)]
    assert [answer["action"] for answer in answers] == ["offer", "offer"]
    after = Business.of(CHANGED, store)
    assert after.decide("c0", NOON, id="old0") == answers[0]
    assert after.decide("c0", NOON)["reason"] == "contact.caps[0]"


def test_a_decision_is_explained_by_the_playbook_that_made_it(store: Store) -> None:
    before = Business.of(ALWAYS, store)
    before.decide("c0", NOON, id="old")
    whole = before.trace("old")
    after = Business.of(CHANGED, store)
    after.decide("c0", NOON)
    assert after.trace("old") == whole
    assert set(whole["trace"]["refused"]) == set(parse(ALWAYS).arms.names[1:])


def test_two_workers_with_two_playbooks_read_each_others_states(store: Store) -> None:
    one, other = Business.of(ALWAYS, store), Business.of(CHANGED, store)
    for turn in range(4):
        business = (one, other)[turn % 2]
        business.report(event("c0", "visit", NOON + turn))
        business.decide("c0", NOON + turn, id=f"d{turn}")
        assert features(business, f"d{turn}")["visit_total"] == turn + 1
