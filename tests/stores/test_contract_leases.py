"""What every store promises of leases, of what is kept by key, and of notes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from nba.errors import Conflict
from nba.stores.ports import Lease, NoteRow, Store
from tests.stores.contract import add_one


def _taken(store: Store, holder: str, now: float, seconds: float = 10.0) -> Lease:
    lease = store.lease("learn", holder, now, seconds)
    assert lease is not None
    return lease


def _publish(store: Store, lease: Lease) -> object:
    return store.publish(
        kind="policy", version="aa", specification="ridge", at=1.0, who="ada", why="now", lease=lease
    )


WRITES: dict[str, Callable[[Store, Lease], object]] = {
    "publish": _publish,
    "keep": lambda store, lease: store.keep("cursor", b"new", lease),
    "note": lambda store, lease: store.note("health", 1.0, b"{}", lease),
}


def test_a_lease_is_one_holders_until_it_ends(store: Store) -> None:
    assert _taken(store, "a", 100.0) == Lease(name="learn", holder="a", token=1, until=110.0)
    assert store.lease("learn", "b", 109.9, 10.0) is None
    assert _taken(store, "b", 110.0) == Lease(name="learn", holder="b", token=2, until=120.0)
    assert store.lease("learn", "a", 111.0, 10.0) is None


def test_a_lease_of_another_name_is_another_lease(store: Store) -> None:
    _taken(store, "a", 100.0)
    other = store.lease("health", "b", 100.0, 5.0)
    assert other == Lease(name="health", holder="b", token=1, until=105.0)


def test_renewing_keeps_the_token_and_moves_the_end(store: Store) -> None:
    _taken(store, "a", 100.0)
    assert _taken(store, "a", 105.0) == Lease(name="learn", holder="a", token=1, until=115.0)
    assert store.lease("learn", "b", 112.0, 10.0) is None


def test_taking_up_a_lease_of_ones_own_that_ended_raises_the_token(store: Store) -> None:
    _taken(store, "a", 100.0)
    assert _taken(store, "a", 110.0).token == 2


def test_a_lease_given_back_is_free_at_once_and_no_longer_allows_to_write(store: Store) -> None:
    lease = _taken(store, "a", 100.0)
    store.give_back(lease)
    with pytest.raises(Conflict, match="lease learn"):
        store.keep("cursor", b"x", lease)
    assert _taken(store, "b", 101.0).token == 2


def test_giving_back_what_another_one_holds_changes_nothing(store: Store) -> None:
    lost = _taken(store, "a", 100.0)
    lease = _taken(store, "b", 200.0)
    store.give_back(lost)
    store.give_back(Lease(name="never", holder="a", token=1, until=1.0))
    assert store.lease("learn", "c", 201.0, 10.0) is None
    store.keep("cursor", b"x", lease)
    assert store.kept("cursor") == b"x"


@pytest.mark.parametrize("write", WRITES)
def test_whoever_lost_the_lease_can_write_nothing_under_it(store: Store, write: str) -> None:
    lost = _taken(store, "a", 100.0)
    store.keep("cursor", b"old", lost)
    held = _taken(store, "b", 200.0)
    with pytest.raises(Conflict, match="lease learn"):
        WRITES[write](store, lost)
    assert (store.audit(), store.kept("cursor"), store.notes("health")) == ([], b"old", [])
    WRITES[write](store, held)
    assert (len(store.audit()), store.kept("cursor"), len(store.notes("health"))) != (0, b"old", 0)


@pytest.mark.parametrize("write", WRITES)
def test_a_lease_that_was_never_given_allows_nothing(store: Store, write: str) -> None:
    with pytest.raises(Conflict, match="lease learn"):
        WRITES[write](store, Lease(name="learn", holder="a", token=1, until=1e12))


@pytest.mark.parametrize("write", WRITES)
def test_a_lease_that_ended_and_that_nobody_took_over_still_protects(store: Store, write: str) -> None:
    """The store has no clock of its own: what fences a holder off is the next one's token."""
    lease = _taken(store, "a", 100.0, seconds=0.0)
    WRITES[write](store, lease)


def test_of_eight_that_ask_at_once_one_gets_the_lease(store: Store) -> None:
    start = threading.Barrier(8)

    def ask(holder: str) -> Lease | None:
        start.wait()
        return store.lease("learn", holder, 100.0, 10.0)

    with ThreadPoolExecutor(8) as pool:
        given = [lease for lease in pool.map(ask, [f"h-{i}" for i in range(8)]) if lease is not None]
    assert len(given) == 1
    assert given[0].token == 1


def test_what_is_kept_takes_the_place_of_what_was_there(store: Store) -> None:
    assert store.kept("cursor") is None
    store.keep("cursor", b"\x00\xff")
    store.keep("other", b"")
    store.keep("cursor", b"second")
    assert (store.kept("cursor"), store.kept("other")) == (b"second", b"")


def test_notes_come_by_kind_in_order_and_after_a_number(store: Store) -> None:
    made = [
        store.note(kind, at, b"%d" % i) for i, (kind, at) in enumerate([("a", 5.0), ("b", 1.0), ("a", 2.0)])
    ]
    assert made[0] == NoteRow(number=made[0].number, kind="a", at=5.0, body=b"0")
    assert made[0].number < made[1].number < made[2].number
    assert store.notes("a") == [made[0], made[2]]
    assert store.notes("a", after=made[0].number) == [made[2]]
    assert store.notes("a", limit=1) == [made[0]]
    assert store.notes("c") == []


def test_forgotten_notes_are_gone_and_their_numbers_are_not_given_again(store: Store) -> None:
    made = [store.note("a", 1.0, b"") for _ in range(3)]
    store.forget_notes([made[0].number, made[2].number, 10**9])
    store.forget_notes([made[0].number])
    store.forget_notes([])
    assert store.notes("a") == [made[1]]
    assert store.note("a", 1.0, b"").number > made[2].number


def test_notes_and_what_is_kept_outlive_what_is_forgotten(store: Store) -> None:
    note = store.note("a", 1.0, b"{}")
    store.keep("cursor", b"x")
    lease = _taken(store, "a", 0.0)
    store.prune(1e9)
    assert (store.notes("a"), store.kept("cursor")) == ([note], b"x")
    store.keep("cursor", b"y", lease)


def test_leases_keeps_and_notes_inside_a_transaction_are_errors_and_no_deadlocks(store: Store) -> None:
    writes: list[Callable[[], object]] = [
        lambda: store.lease("learn", "a", 1.0, 1.0),
        lambda: store.keep("cursor", b"x"),
        lambda: store.note("a", 1.0, b""),
    ]
    for write in writes:
        with store.transaction(), pytest.raises(RuntimeError, match="inside a transaction"):
            write()
    add_one(store, "c-1", 1)
    assert (store.kept("cursor"), store.notes("a")) == (None, [])
