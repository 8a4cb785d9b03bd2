"""Held decisions: they reserve for half an hour, count when shown, and else lapse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from nba.errors import Conflict, NotFound
from nba.model import Activated, Activation
from nba.stores.open import open_store
from tests.service.business import NOON, Business, consents, event
from tests.service.business import request as asking
from tests.service.test_answers import ALWAYS

ONE = ALWAYS.replace("max: 2", "max: 1")


@pytest.fixture(params=["memory", "sqlite"])
def business(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Business]:
    """On a live store, one contact a week, everybody gets an offer on push."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/nba.db"
    with closing(open_store("memory:" if request.param == "memory" else url)) as store:
        business = Business.of(ONE, store)
        business.report(consents("c0"), consents("c1"))
        yield business


def test_a_held_decision_keeps_its_contact_reserved_for_half_an_hour(business: Business) -> None:
    assert business.decide("c0", id="held", activate=False)["action"] == "offer"
    assert business.decide("c0", now=NOON + 1_799)["reason"] == "contact.caps[0]"
    assert business.decide("c0", now=NOON + 1_800)["action"] == "offer"


def test_shown_in_time_it_counts_for_good(business: Business) -> None:
    business.decide("c0", id="held", activate=False)
    for _ in range(2):
        assert business.one(Activation(decision_id="held"), NOON + 60) == Activated()
    answer = business.decide("c0", id="next", now=NOON + 2_000)
    assert answer["reason"] == "contact.caps[0]"
    features = business.trace("next")["trace"]["features"]
    assert features["contact_total"] == 1.0
    assert features["days_since_contact"] == pytest.approx(1_940 / 86_400)
    trace = business.trace("held")["trace"]
    assert (trace["status"], trace["activated_at"]) == ("active", "2025-06-15T12:01:00Z")


def test_from_the_moment_its_reservation_ends_it_can_no_longer_be_shown(business: Business) -> None:
    business.decide("c0", id="held", activate=False)
    assert business.decide("c0", now=NOON + 1_800)["action"] == "offer"
    assert isinstance(business.one(Activation(decision_id="held"), NOON + 1_800), Conflict)
    assert business.trace("held")["trace"]["status"] == "held"


def test_until_it_is_shown_it_is_no_contact_in_the_features(business: Business) -> None:
    business.decide("c0", id="held", activate=False)
    business.decide("c0", id="next", now=NOON + 60)
    assert business.trace("next")["trace"]["features"]["contact_total"] == 0.0


def test_it_can_be_shown_in_the_batch_that_decides_it(business: Business) -> None:
    asked = asking("c0", id="held", activate=False)
    shown = Activation(decision_id="held")
    after = asking("c0", id="next")
    *_, again, _ = business.service.handle([asked, shown, shown, after], NOON)
    assert again == Activated()
    assert business.trace("held")["trace"]["status"] == "active"
    assert business.trace("next")["trace"]["features"]["contact_total"] == 1.0


def test_on_the_request_clock_it_lapses_by_its_customers_time() -> None:
    business = Business.of(ONE)
    business.report(consents("c0"), consents("c1"))
    for customer in ("c0", "c1"):
        business.decide(customer, NOON, id=customer, activate=False)
    business.report(event("c0", "visit", NOON + 1_800), event("c1", "visit", NOON + 1_799))
    assert isinstance(business.one(Activation(decision_id="c0")), Conflict)
    assert business.one(Activation(decision_id="c1")) == Activated()


def test_what_was_never_decided_cannot_be_shown(business: Business) -> None:
    assert isinstance(business.one(Activation(decision_id="never")), NotFound)
