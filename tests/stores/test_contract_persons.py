"""What every store promises of persons: links, claims, erasure, reads by customer."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from nba.stores.open import open_store
from nba.stores.ports import ClaimRow, ErasedRow, Store
from tests.stores.contract import contact, decision, message, touchpoint

KEY = ("email", "a" * 64)


def claim(surrogate: str, at: float = 1.0, kind: str = "email", value: str = KEY[1], **more: str) -> ClaimRow:
    status = more.get("status", "linked")
    return ClaimRow(kind=kind, value=value, surrogate=surrogate, at=at, status=status)  # type: ignore[arg-type]


def made(store: Store, *names: str) -> list[str]:
    """Customers; their surrogates."""
    with store.transaction() as transaction:
        rows = transaction.customers(names)
    return [rows[name].surrogate for name in names]


def linked(store: Store, *names: str) -> str:
    """Customers of one person, which is the first."""
    person, *_ = made(store, *names)
    with store.transaction() as transaction:
        rows = list(transaction.customers(names).values())
        for row in rows:
            row.person = person
        transaction.save_customers(rows)
    return person


def test_also_locks_and_tells_those_who_are_there_and_makes_nobody(store: Store) -> None:
    made(store, "b")
    with store.transaction() as transaction:
        assert list(transaction.customers(["c", "a"], ["b", "nobody"])) == ["c", "a", "b"]
        assert transaction.customers([], ["nobody"]) == {}
    assert store.known("nobody") == []


def test_members_are_told_by_person_in_the_order_of_their_ids(store: Store) -> None:
    person = linked(store, "b", "a", "c")
    made(store, "alone")
    with store.transaction() as transaction:
        assert transaction.members([person, "unknown"]) == {person: ["a", "b", "c"]}
        assert transaction.members([]) == {}
    assert [row.customer_id for row in store.known("c")] == ["a", "b", "c"]
    assert [row.customer_id for row in store.known("alone")] == ["alone"]
    assert set(store.people().values()) == {person}
    assert len(store.people()) == 3


def test_claims_are_told_by_key_where_they_link_and_by_customer_all_of_them(store: Store) -> None:
    rows = [
        claim("s1"),
        claim("s2", status="refused"),
        claim("s3", kind="device"),
        claim("s1", value="b" * 64, status="withdrawn"),
    ]
    with store.transaction() as transaction:
        transaction.save_claims(rows)
        assert transaction.claims([KEY]) == [rows[0]]
    with store.transaction() as transaction:
        assert transaction.claims([KEY, ("device", KEY[1]), ("email", "b" * 64)]) == [rows[2], rows[0]]
        assert transaction.claims([]) == []
        assert transaction.claims_of(["s1", "s2"]) == [rows[0], rows[1], rows[3]]
        transaction.save_claims([claim("s2", at=0.5)])
    assert store.claims_of(["s2"]) == [claim("s2", at=0.5)]
    assert store.claims_of([]) == []


def test_a_transaction_that_fails_links_and_erases_nobody(store: Store) -> None:
    (surrogate,) = made(store, "a")

    def failing() -> None:
        entry = ErasedRow(surrogate=surrogate, digest="d", at=1.0, who="w")
        with store.transaction() as transaction:
            transaction.save_claims([claim(surrogate)])
            transaction.erase([entry], bytes)
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert store.claims_of([surrogate]) == []
    assert store.erased() == []
    assert [row.surrogate for row in store.known("a")] == [surrogate]


def test_erasing_empties_what_is_theirs_and_leaves_others_alone(store: Store) -> None:
    gone, kept = made(store, "gone", "kept")
    with store.transaction() as transaction:
        for name, surrogate in (("g", gone), ("k", kept)):
            transaction.append_decisions([decision(name, surrogate=surrogate, trace=b'{"x": 1}')])
            transaction.append_contacts([contact(name, surrogate=surrogate)])
            transaction.append_touchpoints([touchpoint(name, surrogate=surrogate)])
            transaction.append_outbox([message(name, surrogate=surrogate)])
            transaction.save_claims([claim(surrogate, value=surrogate[:1] * 64)])
    entry = ErasedRow(surrogate=gone, digest="d" * 64, at=7.0, who="ada")
    with store.transaction() as transaction:
        changed = transaction.erase([entry], lambda trace: trace[:1])
    assert changed == {
        "decisions": 1, "customers": 1, "profiles": 1, "identities": 1, "touchpoints": 1, "outbox": 1,
    }  # fmt: skip
    left = decision("g", surrogate=gone, trace=b"{")
    one = store.decision("g")
    assert one is not None
    assert one.erased
    assert (one.trace, one.arm, one.propensity, one.status) == (b"{", left.arm, left.propensity, left.status)
    assert one.body == one.digest == one.features == one.eligible == one.odds == one.values == b""
    assert store.decision("k") == decision("k", surrogate=kept, trace=b'{"x": 1}')
    assert [t.properties is None for t in store.touchpoints_of([gone, kept], 9)] == [False, True]
    assert [m.body for m in store.outbox(0)] == [b"{}", message("k").body]
    assert (store.claims_of([gone]), len(store.claims_of([kept]))) == ([], 1)
    assert (store.known("gone"), store.names([gone])) == ([], {})
    assert store.contacts_of([gone], 9) == [contact("g", surrogate=gone)]
    assert (store.erased(), store.erasure("d" * 64), store.erasure("e")) == ([entry], entry, None)
    (new,) = made(store, "gone")
    assert new != gone


def test_erasing_again_changes_nothing_and_keeps_the_first_entry(store: Store) -> None:
    first = ErasedRow(surrogate="nobody-here", digest="d", at=1.0, who="ada")
    for at in (1.0, 2.0):
        with store.transaction() as transaction:
            again = ErasedRow(surrogate="nobody-here", digest="d", at=at, who="bob" if at > 1 else "ada")
            assert set(transaction.erase([again], bytes).values()) == {0}
    assert store.erased() == [first]


def test_the_latest_rows_of_customers_come_first(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.append_decisions([decision(f"d{i}", decided_at=100.0 + i) for i in range(4)])
        transaction.append_contacts([contact(f"d{i}", send_at=200.0 + i) for i in range(4)])
        transaction.append_touchpoints(
            [touchpoint(f"e{i}", occurred_at=50.0 + i, type="visit" if i % 2 else "nps") for i in range(4)]
        )
    assert [row.decision_id for row in store.decisions_of(["s-1"], 2)] == ["d3", "d2"]
    assert [row.decision_id for row in store.contacts_of(["s-1"], 2)] == ["d3", "d2"]
    assert [row.id for row in store.touchpoints_of(["s-1"], 2)] == ["e3", "e2"]
    assert [row.id for row in store.touchpoints_of(["s-1"], 9, ["nps"])] == ["e2", "e0"]
    assert store.decisions_of([], 9) == store.decisions_of(["other"], 9) == []


def test_rows_are_told_under_the_person_unless_their_own_is_asked_for(store: Store) -> None:
    person = linked(store, "a", "b")
    own = [row.surrogate for row in store.known("b")]
    with store.transaction() as transaction:
        transaction.append_decisions([decision(f"d{s}", surrogate=s) for s in own])
        transaction.append_touchpoints([touchpoint(f"e{s}", surrogate=s) for s in own])
    for read in (store.decisions, store.touchpoints):
        assert [row.surrogate for rows in read(0.0, 999.0) for row in rows] == [person] * 2  # type: ignore[operator]
        assert {row.surrogate for rows in read(0.0, 999.0, own=True) for row in rows} == set(own)  # type: ignore[operator]
    assert {row.surrogate for rows in store.draws(0.0, 999.0) for row in rows} == {person}


def test_of_two_who_claim_one_identity_at_once_the_second_sees_the_first(url: str) -> None:
    """On two connections: the second one waits for the first's end."""
    with closing(open_store(url)) as one, closing(open_store(url)) as other:
        first, second = made(one, "a", "b")
        inside, seen = threading.Event(), []

        def claims() -> None:
            with other.transaction() as transaction:
                transaction.customers(["b"])
                inside.set()
                seen.extend(transaction.claims([KEY]))
                transaction.save_claims([claim(second)])

        with one.transaction() as transaction:
            transaction.customers(["a"])
            assert transaction.claims([KEY]) == []
            thread = threading.Thread(target=claims)
            thread.start()
            inside.wait(0.2)  # SQLite lets nobody in meanwhile
            transaction.save_claims([claim(first)])
        thread.join(10)
        assert seen == [claim(first)]
