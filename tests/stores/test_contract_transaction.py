"""What every store promises of its write transactions."""

from __future__ import annotations

import contextlib
import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from nba.errors import Conflict
from nba.stores.ports import CustomerRow, Store, Used
from tests.stores.contract import add_one, contact, decision, message, touchpoint, version


class Abandoned(Exception):
    """Raised to leave a transaction."""


def test_a_decision_comes_back_as_it_was_written(store: Store) -> None:
    silence = decision("d-2", channel=None, timing=None, send_at=None, activated_at=None, status="held")
    with store.transaction() as transaction:
        transaction.append_decisions([decision("d-1"), silence])
        answers = transaction.answers(["d-2", "d-1", "d-3"])
    assert answers == {"d-1": decision("d-1"), "d-2": silence}
    assert store.decision("d-1") == decision("d-1")
    assert store.decision("d-2") == silence
    assert store.decision("d-3") is None


def test_a_decision_id_is_taken_once(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.append_decisions([decision("d-1")])
    with pytest.raises(Conflict), store.transaction() as transaction:
        transaction.append_decisions([decision("d-2"), decision("d-1", arm="other")])
    assert store.decision("d-1") == decision("d-1")
    assert store.decision("d-2") is None


def test_a_contact_belongs_to_one_decision(store: Store) -> None:
    with pytest.raises(Conflict), store.transaction() as transaction:
        transaction.append_contacts([contact("d-1"), contact("d-1")])
    with store.transaction() as transaction:
        assert transaction.contacts(["s-1"], 0.0) == []


def test_a_new_customer_is_empty_and_keeps_its_surrogate(store: Store) -> None:
    with store.transaction() as transaction:
        made = transaction.customers(["c-1", "c-2", "c-1"])
    assert set(made) == {"c-1", "c-2"}
    row = made["c-1"]
    assert row == CustomerRow(customer_id="c-1", surrogate=row.surrogate)
    assert row.last_at == -math.inf
    assert len({row.surrogate, made["c-2"].surrogate, "c-1", "c-2"}) == 4
    with store.transaction() as transaction:
        again = transaction.customers(["c-2", "c-1"])
        assert again == made
        assert transaction.customers_of([row.surrogate, "unknown"]) == {row.surrogate: row}


def test_rows_come_in_the_order_asked(store: Store) -> None:
    asked = ["c-2", "c-9", "c-1", "c-5"]
    with store.transaction() as transaction:
        transaction.customers(["c-1", "c-5"])
        rows = transaction.customers(asked)
        assert list(rows) == asked
        surrogates = [row.surrogate for row in rows.values()]
        assert list(transaction.customers_of(surrogates[::-1])) == surrogates[::-1]
        transaction.append_decisions([decision("b"), decision("a"), decision("c")])
        assert list(transaction.answers(["c", "a", "b"])) == ["c", "a", "b"]


def test_a_saved_customer_comes_back_as_it_was_written(store: Store) -> None:
    with store.transaction() as transaction:
        row = transaction.customers(["c-1"])["c-1"]
        row.state = b"\x00\x01\xff"
        row.attributes = {"timezone": ["Europe/Zürich", 5.5], "tier": [None, 1e-300]}
        row.consents = {"marketing|*": [True, 0.1 + 0.2]}
        row.last_at, row.version = 1_764_000_000.123456, 7
        transaction.save_customers([row])
        assert transaction.customers(["c-1"])["c-1"] == row
    with store.transaction() as transaction:
        assert transaction.customers(["c-1"])["c-1"] == row


def test_a_customer_that_is_changed_but_not_saved_stays_as_it_was(store: Store) -> None:
    with store.transaction() as transaction:
        row = transaction.customers(["c-1"])["c-1"]
        transaction.save_customers([row])
        row.attributes["tier"] = ["gold", 1.0]
        row.version = 9
    with store.transaction() as transaction:
        assert transaction.customers(["c-1"])["c-1"] == CustomerRow(
            customer_id="c-1", surrogate=row.surrogate
        )


def test_a_transaction_that_raises_leaves_nothing(store: Store) -> None:
    with contextlib.suppress(Abandoned), store.transaction() as transaction:
        row = transaction.customers(["c-1"])["c-1"]
        row.version = 3
        transaction.save_customers([row])
        transaction.append_decisions([decision("d-1", surrogate=row.surrogate)])
        transaction.append_contacts([contact("d-1", surrogate=row.surrogate)])
        transaction.append_touchpoints([touchpoint("e-1")])
        transaction.append_outbox([message("m-1")])
        transaction.use({("bogo", "2026-11-22"): Used(contacts=1)})
        transaction.mark_applied("history.parquet")
        raise Abandoned
    assert store.links() == {}
    assert store.decision("d-1") is None
    assert list(store.decisions(-math.inf, math.inf)) == []
    assert list(store.touchpoints(-math.inf, math.inf)) == []
    with store.transaction() as transaction:
        assert transaction.customers_of([row.surrogate]) == {}
        assert transaction.contacts([row.surrogate], -math.inf) == []
        assert transaction.used([("bogo", "2026-11-22")]) == {("bogo", "2026-11-22"): Used()}
        assert not transaction.applied("history.parquet")
    assert store.outbox(0) == []


def test_what_is_not_committed_is_seen_inside_only(store: Store) -> None:
    with store.transaction() as transaction:
        row = transaction.customers(["c-1"])["c-1"]
        transaction.append_decisions([decision("d-1")])
        assert "d-1" in transaction.answers(["d-1"])
        assert store.decision("d-1") is None
        assert store.links() == {}
    assert store.decision("d-1") is not None
    assert store.links() == {row.surrogate: "c-1"}


def test_contacts_since_are_in_order_of_sending_then_id(store: Store) -> None:
    late, early = contact("a", send_at=9.0), contact("z", send_at=3.0)
    same = contact("b", send_at=9.0, surrogate="s-2", status="held", expires_at=12.0)
    others = [
        contact("old", send_at=2.999),
        *(contact(status, status=status) for status in ("released", "displaced", "lapsed")),
        contact("x", surrogate="s-3"),
    ]
    with store.transaction() as transaction:
        transaction.append_contacts([same, late, early, *others])
    with store.transaction() as transaction:
        assert transaction.contacts(["s-2", "s-1"], since=3.0) == [early, late, same]
        assert transaction.contacts([], since=0.0) == []


def test_activation_makes_a_held_decision_count(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.append_decisions([decision("d-1", status="held", activated_at=None), decision("d-2")])
        transaction.append_contacts([contact("d-1", status="held", expires_at=5.0), contact("d-2")])
    with store.transaction() as transaction:
        transaction.activate("d-1", at=4.0)
    assert store.decision("d-1") == decision("d-1", status="active", activated_at=4.0)
    assert store.decision("d-2") == decision("d-2")
    assert store.contact("d-1") == contact("d-1", status="shown")
    assert store.contact("nobody's") is None
    with store.transaction() as transaction:
        assert transaction.contacts(["s-1"], 0.0) == [contact("d-1", status="shown"), contact("d-2")]


def test_a_touchpoint_counts_once_by_source_and_id(store: Store) -> None:
    first = [touchpoint("1"), touchpoint("1", value=99.0), touchpoint("1", source="outcome")]
    with store.transaction() as transaction:
        assert transaction.append_touchpoints(first) == [True, False, True]
        assert transaction.append_touchpoints([touchpoint("2"), touchpoint("1")]) == [True, False]
    with store.transaction() as transaction:
        assert transaction.append_touchpoints([touchpoint("1", value=99.0)]) == [False]
        assert transaction.append_touchpoints([]) == []
    kept = [touchpoint("1"), touchpoint("2"), touchpoint("1", source="outcome")]
    assert list(store.touchpoints(0.0, 100.0)) == [kept]


def test_a_history_file_is_marked_by_its_name(store: Store) -> None:
    with store.transaction() as transaction:
        assert not transaction.applied("a.parquet")
        transaction.mark_applied("a.parquet")
        transaction.mark_applied("a.parquet")
    with store.transaction() as transaction:
        assert transaction.applied("a.parquet")
        assert not transaction.applied("b.parquet")


def test_thousands_of_rows_fit_one_transaction(store: Store) -> None:
    names = [f"c-{i}" for i in range(5_000)]
    with store.transaction() as transaction:
        rows = transaction.customers(names)
        assert len(transaction.customers_of([row.surrogate for row in rows.values()])) == 5_000
        transaction.append_touchpoints([touchpoint(name) for name in names])
        assert transaction.append_touchpoints([touchpoint(name) for name in names]) == [False] * 5_000


def test_eight_threads_that_add_to_one_customer_lose_nothing(store: Store) -> None:
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        add_one(store, "c-1", times=25)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work) for _ in range(8)]:
            done.result()
    assert version(store, "c-1") == 200
    assert len(store.links()) == 1


def test_a_write_inside_a_transaction_is_an_error_and_not_a_deadlock(store: Store) -> None:
    with store.transaction(), pytest.raises(RuntimeError, match="inside a transaction"):
        store.keep_playbook("coffee@1", "text")
    with store.transaction(), pytest.raises(RuntimeError, match="inside a transaction"):
        store.publish(kind="policy", version="aa", specification="ridge", at=1.0, who="ada", why="now")
    add_one(store, "c-1", 1)
    assert store.audit() == []
    assert store.playbooks() == {}


def test_readers_are_not_held_up_by_a_transaction(store: Store) -> None:
    with store.transaction() as transaction, ThreadPoolExecutor(1) as pool:
        transaction.append_decisions([decision("d-1")])
        assert pool.submit(store.decision, "d-1").result(timeout=5) is None
        assert pool.submit(store.serving).result(timeout=5) == {}
