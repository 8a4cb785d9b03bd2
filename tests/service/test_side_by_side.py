"""Two servers on one PostgreSQL store: their batches cross, and neither waits for the other in a circle."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg

from nba.model import Activated, Activation, Answer, Command, Receipt, Reports
from nba.stores.open import open_store
from nba.stores.ports import Store
from tests.service.business import NOON, Business, consents, event, request
from tests.service.test_answers import ALWAYS
from tests.service.test_persons import identify
from tests.stores.postgres import fresh_database

BATCHES = 40
MOST = 2  # contacts by the playbook's cap


def test_batches_that_name_the_same_customers_crosswise_never_wait_in_a_circle() -> None:
    """Reports of one and a decision for the other in one batch, on both servers the other way round."""
    with fresh_database() as url, closing(open_store(url)) as one, closing(open_store(url)) as other:
        Business.of(ALWAYS, one).report(consents("c1"), consents("c2"))
        with ThreadPoolExecutor(2) as pool:
            told = list(
                pool.map(
                    lambda side: [
                        result
                        for i in range(BATCHES)
                        for result in Business.of(ALWAYS, side[0]).service.handle(_batch(*side[1:], i), NOON)
                    ],
                    ((one, "a", "c1", "c2"), (other, "b", "c2", "c1")),
                )
            )
        kinds = [type(result) for results in told for result in results]
        assert set(kinds) == {Receipt, Answer}
        assert _deadlocks(url) == 0
        trace = Business.of(ALWAYS, one).decide("c1", id="last", now=NOON + 1)
        assert trace["decision_id"] == "last"
        rows = [row for rows in one.touchpoints(0.0, NOON + 1) for row in rows if row.type == "visit"]
        assert len(rows) == 2 * BATCHES
        totals = [_visits(Business.of(ALWAYS, one), customer) for customer in ("c1", "c2")]
        assert totals == [BATCHES, BATCHES]


def _batch(side: str, visits: str, decides: str, i: int) -> Sequence[Command]:
    visit = event(visits, "visit", NOON - 60.0, id=f"{side}{i}")
    return [Reports(items=(visit,)), request(decides, id=f"{side}{i}")]


def _visits(business: Business, customer: str) -> float:
    answer = business.decide(customer, id=f"count-{customer}", now=NOON + 2)
    features = business.trace(answer["decision_id"])["trace"]["features"]
    return float(features["visit_total"])


def _deadlocks(url: str) -> int:
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        row = connection.execute(
            "select deadlocks from pg_stat_database where datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_held_decision_shown_on_both_servers_at_once_is_one_contact() -> None:
    with fresh_database() as url, closing(open_store(url)) as one, closing(open_store(url)) as other:
        shops = [Business.of(ALWAYS, store) for store in (one, other)]
        shops[0].report(*(consents(f"c{i}") for i in range(10)))
        for i in range(10):
            assert shops[0].decide(f"c{i}", id=f"d{i}", activate=False)["action"] == "offer"

        def show(shop: Business) -> list[object]:
            return [shop.one(Activation(decision_id=f"d{i}"), NOON + 1) for i in range(10)]

        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(show, shops))
        assert told == [[Activated()] * 10] * 2
        for i in range(10):
            shops[0].decide(f"c{i}", id=f"e{i}", now=NOON + 2)
            assert shops[0].trace(f"e{i}")["trace"]["features"]["contact_total"] == 1.0


def test_linked_customers_asked_for_crosswise_never_wait_in_a_circle() -> None:
    """Each batch names one id of each of two persons, on the other server the others, the other way round;
    and both servers go on linking new ids to both."""
    with fresh_database() as url, closing(open_store(url)) as one, closing(open_store(url)) as other:
        first = Business.of(ALWAYS, one)
        first.report(*(consents(name) for name in ("a1", "b1")))
        first.report(*(identify(f"{p}{i}", p) for p in "ab" for i in (1, 2)))

        def work(side: tuple[Store, str, str, str]) -> list[object]:
            store, name, left, right = side
            shop = Business.of(ALWAYS, store)
            told: list[object] = []
            for i in range(15):
                batch: list[Command] = [request(left, id=f"{name}{i}"), request(right, id=f"{name}{i}x")]
                told += shop.service.handle(batch, NOON + i)
                claims = (identify(f"{name}{p}{i % 4}", p) for p in (left[0], right[0]))
                told += shop.service.handle([Reports(items=tuple(claims))], NOON + i)
            return told

        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(work, ((one, "x", "a1", "b1"), (other, "y", "b2", "a2"))))
        assert {type(result) for results in told for result in results} == {Answer, Receipt}
        assert _deadlocks(url) == 0
        for name in ("a1", "b1"):
            members = [row.customer_id for row in one.known(name)]
            assert members == sorted([f"{name[0]}1", f"{name[0]}2", *_linked(name[0])])
            contacts = one.contacts_of([row.surrogate for row in one.known(name)], 100)
            assert len(contacts) == MOST


def _linked(person: str) -> list[str]:
    return [f"{side}{person}{i}" for side in "xy" for i in range(4)]
