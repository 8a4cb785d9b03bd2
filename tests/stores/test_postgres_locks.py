"""PostgreSQL runs transactions side by side: who waits for whom, and who hears of a conflict."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import ParamSpec, TypeVar

import pytest
from sqlalchemy.engine import make_url

from nba.errors import Conflict, StoreUnavailable
from nba.stores.open import open_store
from nba.stores.ports import Store, Used
from nba.stores.sql import postgres
from tests.stores.contract import contact, decision, touchpoint, version
from tests.stores.postgres import administrator

BOGO = ("bogo", "2026-11-22")
PATIENCE = 60.0
P = ParamSpec("P")
T = TypeVar("T")


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    store = open_store(postgres_url)
    yield store
    store.close()


class Beside:
    """A transaction in a thread of its own, driven step by step."""

    def __init__(self, store: Store) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._open = ExitStack()
        self.transaction = self.start(self._open.enter_context, store.transaction()).result(PATIENCE)

    def start(self, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begin a step; it may have to wait."""
        return self._thread.submit(step, *args, **kwargs)

    def do(self, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self.start(step, *args, **kwargs).result(PATIENCE)

    def commit(self) -> None:
        self.do(self._open.close)

    def abandon(self) -> None:
        """Leave the transaction by an error."""

        def leave() -> None:
            with suppress(ZeroDivisionError), self._open:
                raise ZeroDivisionError

        self.do(leave)


def _wait_until_waiting(url: str) -> None:
    """Until some connection to this database waits for a lock."""
    at = make_url(url)
    asking = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + PATIENCE
    with administrator(at) as admin:
        while time.monotonic() < deadline:
            if admin.execute(asking, [at.database]).fetchall() != [(0,)]:
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits")


def test_a_customer_is_locked_until_the_transaction_ends_and_then_read_anew(
    store: Store, postgres_url: str
) -> None:
    with store.transaction() as transaction:
        transaction.customers(["c-1", "c-2"])
    one, two = Beside(store), Beside(store)
    row = one.do(one.transaction.customers, ["c-1"])["c-1"]
    waiting = two.start(two.transaction.customers, ["c-2", "c-1"])
    _wait_until_waiting(postgres_url)
    row.version, row.state = 7, b"new"
    one.do(one.transaction.save_customers, [row])
    one.do(one.transaction.append_contacts, [contact("d-1", surrogate=row.surrogate)])
    assert not waiting.done()
    one.commit()
    seen = waiting.result(PATIENCE)["c-1"]
    assert (seen.version, seen.state) == (7, b"new")
    assert len(two.do(two.transaction.contacts, [row.surrogate], 0.0)) == 1
    two.commit()


def test_transactions_on_different_customers_do_not_wait_for_each_other(store: Store) -> None:
    one, two = Beside(store), Beside(store)
    for beside, name in ((one, "c-1"), (two, "c-2"), (one, "c-1"), (two, "c-2")):
        beside.do(beside.transaction.customers, [name])
    one.do(one.transaction.append_decisions, [decision("d-1")])
    two.do(two.transaction.append_decisions, [decision("d-2")])
    two.commit()
    one.commit()
    assert set(store.links().values()) == {"c-1", "c-2"}


def test_two_who_make_one_customer_get_the_same_row(store: Store, postgres_url: str) -> None:
    one, two = Beside(store), Beside(store)
    made = one.do(one.transaction.customers, ["c-1"])["c-1"]
    waiting = two.start(two.transaction.customers, ["c-2", "c-1"])
    _wait_until_waiting(postgres_url)
    one.commit()
    assert waiting.result(PATIENCE)["c-1"] == made
    two.commit()
    assert sorted(store.links().values()) == ["c-1", "c-2"]


def test_a_customer_whose_maker_gave_up_is_made_by_the_next(store: Store, postgres_url: str) -> None:
    one, two = Beside(store), Beside(store)
    lost = one.do(one.transaction.customers, ["c-1"])["c-1"]
    waiting = two.start(two.transaction.customers, ["c-1"])
    _wait_until_waiting(postgres_url)
    one.abandon()
    made = waiting.result(PATIENCE)["c-1"]
    two.commit()
    assert made.surrogate != lost.surrogate
    assert store.links() == {made.surrogate: "c-1"}


def test_of_two_decisions_with_one_id_the_second_is_a_conflict(store: Store, postgres_url: str) -> None:
    one, two = Beside(store), Beside(store)
    for beside in (one, two):
        assert beside.do(beside.transaction.answers, ["d-1"]) == {}
    one.do(one.transaction.append_decisions, [decision("d-1")])
    other = decision("d-1", decided_at=1_900_000_000.0)  # of another month
    waiting = two.start(two.transaction.append_decisions, [other])
    _wait_until_waiting(postgres_url)
    one.commit()
    with pytest.raises(Exception, match="UniqueViolation"):
        waiting.result(PATIENCE)
    two.abandon()
    with pytest.raises(Conflict), store.transaction() as transaction:
        transaction.append_decisions([other])
    with store.transaction() as transaction:
        assert transaction.answers(["d-1"]) == {"d-1": decision("d-1")}


def test_of_two_touchpoints_with_one_id_one_is_kept(store: Store, postgres_url: str) -> None:
    one, two = Beside(store), Beside(store)
    assert one.do(one.transaction.append_touchpoints, [touchpoint("e-1")]) == [True]
    waiting = two.start(two.transaction.append_touchpoints, [touchpoint("e-1", occurred_at=1.9e9)])
    _wait_until_waiting(postgres_url)
    one.commit()
    with pytest.raises(Exception, match="UniqueViolation"):
        waiting.result(PATIENCE)
    two.abandon()
    with store.transaction() as transaction:
        assert transaction.append_touchpoints([touchpoint("e-1", occurred_at=1.9e9)]) == [False]
    assert list(store.touchpoints(0.0, 2e9)) == [[touchpoint("e-1")]]


def test_a_limit_is_locked_until_the_transaction_ends(store: Store, postgres_url: str) -> None:
    one, two = Beside(store), Beside(store)
    assert one.do(one.transaction.used, [BOGO]) == {BOGO: Used()}
    waiting = two.start(two.transaction.used, [("call", "2026-11-22"), BOGO])
    _wait_until_waiting(postgres_url)
    one.do(one.transaction.use, {BOGO: Used(contacts=3, spend=1.5)})
    one.commit()
    assert waiting.result(PATIENCE)[BOGO] == Used(contacts=3, spend=1.5)
    two.commit()


def test_who_lapses_contacts_does_not_wait_for_those_that_others_settle(store: Store) -> None:
    held = [
        contact(name, status="held", day="2026-11-22", expires_at=5.0, surrogate=name) for name in ("a", "b")
    ]
    with store.transaction() as transaction:
        transaction.append_contacts(held)
    one, two = Beside(store), Beside(store)
    assert one.do(one.transaction.release, ["a"], "released") == held[:1]
    assert two.do(two.transaction.lapse, 9.0) == held[1:]
    two.commit()
    one.commit()


def test_two_that_wait_for_each_other_are_broken_up_and_one_goes_on(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.customers(["c-1", "c-2"])
    start = threading.Barrier(2)

    def work(first: str, then: str) -> str:
        try:
            with store.transaction() as transaction:
                transaction.customers([first])
                start.wait(PATIENCE)
                transaction.customers([then])
        except Conflict:
            return "in the way"
        return "done"

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(work, ["c-1", "c-2"], ["c-2", "c-1"]))
    assert outcomes == ["done", "in the way"]


def test_a_lock_that_others_hold_makes_the_store_unavailable_for_a_moment(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "LOCK_SECONDS", 0.1)
    store = open_store(postgres_url)
    one = Beside(store)
    one.do(one.transaction.customers, ["c-1"])
    with (
        pytest.raises(StoreUnavailable, match="locked by others for too long"),
        store.transaction() as transaction,
    ):
        transaction.customers(["c-1"])
    one.commit()
    assert version(store, "c-1") == 0
    store.close()
