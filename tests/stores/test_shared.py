"""What a store promises that several processes share and that outlives them."""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import suppress
from multiprocessing.synchronize import Event

import pytest

from nba.errors import Conflict, SchemaMismatch
from nba.stores.open import open_store
from tests.stores.contract import add_one, contact, decision, touchpoint, version

SPAWN = multiprocessing.get_context("spawn")
PATIENCE = 60.0  # seconds; a process starts in two


def _add(url: str, times: int) -> None:
    store = open_store(url)
    add_one(store, "c-1", times)
    store.close()


def _write_and_wait(url: str, committed: Event) -> None:
    """Commit one transaction, leave another one open, wait to be killed."""
    store = open_store(url)
    with store.transaction() as transaction:
        row = transaction.customers(["c-1"])["c-1"]
        row.version = 5
        transaction.save_customers([row])
        transaction.append_decisions([decision("d-1")])
        transaction.append_contacts([contact("d-1")])
        transaction.append_touchpoints([touchpoint("e-1")])
    with store.transaction() as transaction:
        transaction.append_decisions([decision("d-2")])
        committed.set()
        signal.pause()


def test_processes_that_make_a_store_at_once_and_add_to_one_customer_lose_nothing(url: str) -> None:
    workers = [SPAWN.Process(target=_add, args=(url, 100)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE)
    assert [worker.exitcode for worker in workers] == [0, 0]
    store = open_store(url)
    assert version(store, "c-1") == 200
    assert len(store.links()) == 1
    store.close()


def test_what_was_committed_survives_kill_9_and_what_was_not_is_gone(url: str) -> None:
    committed = SPAWN.Event()
    worker = SPAWN.Process(target=_write_and_wait, args=(url, committed))
    worker.start()
    assert committed.wait(PATIENCE)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(PATIENCE)
    store = open_store(url)
    assert store.decision("d-1") == decision("d-1")
    assert store.decision("d-2") is None
    assert version(store, "c-1") == 5
    assert list(store.touchpoints(0.0, 100.0)) == [[touchpoint("e-1")]]
    with store.transaction() as transaction:
        assert transaction.contacts(["s-1"], 0.0) == [contact("d-1")]
    store.close()


def test_two_stores_in_one_process_see_each_other_and_share_the_secret(url: str) -> None:
    one, two = open_store(url), open_store(url)
    assert one.secret == two.secret
    add_one(one, "c-1", 1)
    add_one(two, "c-1", 1)
    assert version(one, "c-1") == 2
    publication = one.publish(
        kind="policy", version="aa", specification="ridge", at=1.0, who="ada", why="first"
    )
    assert two.serving() == {"policy": publication}
    one.close()
    add_one(two, "c-1", 1)
    two.close()


def _ask(url: str, holder: str, start: Event, times: int) -> None:
    """Take the lease at one moment after the other, and count under it what is kept."""
    store = open_store(url)
    start.wait(PATIENCE)
    for moment in range(times):
        lease = store.lease("count", holder, float(moment), 1.0)
        if lease is not None:
            with suppress(Conflict):
                store.note(holder, float(moment), b"", lease)
    store.close()


def test_of_two_processes_that_ask_for_a_lease_at_each_moment_one_gets_it(url: str) -> None:
    """Each asks at 20 moments. A moment's lease is one holder's; only a later moment's can take it over."""
    open_store(url).close()
    start = SPAWN.Event()
    workers = [SPAWN.Process(target=_ask, args=(url, holder, start, 20)) for holder in "ab"]
    for worker in workers:
        worker.start()
    start.set()
    for worker in workers:
        worker.join(PATIENCE)
    assert [worker.exitcode for worker in workers] == [0, 0]
    store = open_store(url)
    moments = [[note.at for note in store.notes(holder)] for holder in "ab"]
    store.close()
    assert not set(moments[0]) & set(moments[1])
    assert 19.0 in moments[0] + moments[1]


def test_leases_notes_and_what_is_kept_are_there_when_the_store_is_opened_again(url: str) -> None:
    made = open_store(url)
    lease = made.lease("learn", "a", 100.0, 10.0)
    note = made.note("health", 1.0, b"{}", lease)
    made.keep("cursor", b"x", lease)
    made.close()
    again = open_store(url)
    assert (again.notes("health"), again.kept("cursor")) == ([note], b"x")
    assert again.lease("learn", "b", 105.0, 10.0) is None
    again.keep("cursor", b"y", lease)
    assert again.kept("cursor") == b"y"
    again.close()


def test_a_store_keeps_its_secret_and_its_clock(url: str) -> None:
    made = open_store(url, "request")
    secret = made.secret
    made.close()
    for clock in (None, "request"):
        again = open_store(url, clock)
        assert (again.secret, again.clock) == (secret, "request")
        again.close()
    with pytest.raises(SchemaMismatch, match="request clock"):
        open_store(url, "live")


def test_a_store_without_a_wish_is_live(url: str) -> None:
    open_store(url).close()
    with pytest.raises(SchemaMismatch, match="live clock"):
        open_store(url, "request")
