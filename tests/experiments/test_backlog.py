from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from experiments.backlog import KIND, REFUSED, Backlog
from experiments.tracking import Registration, RunRecord, Tracker
from nba.stores.memory import MemoryStore
from tests.experiments.mlflow_server import free_port

AT = 1_780_000_000.0
SOON = 20.0  # seconds within which even a loaded machine has given up on a server


def record(name: str, at: float = AT) -> RunRecord:
    return RunRecord(experiment="policy", name=name, started_at=at, metrics=[("value", 1.5, 0)])


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore("request", secret=bytes(32))


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Tracker:
    return Tracker(f"sqlite:///{tmp_path_factory.mktemp('backlog') / 'mlflow.db'}")


@pytest.fixture
def down() -> Tracker:
    """Nobody listens there."""
    return Tracker(f"http://127.0.0.1:{free_port()}")


def names(tracker: Tracker, wanted: str) -> list[str]:
    """Names of runs that begin so, oldest first."""
    runs = sorted(tracker.runs("policy"), key=lambda run: run["started_at"])
    return [run["name"] for run in runs if run["name"].startswith(wanted)]


def test_what_can_be_sent_is_sent_and_nothing_is_kept(up: Tracker, store: MemoryStore) -> None:
    delivered = Backlog(store).deliver(up, record("direct"))
    assert delivered.run_id is not None
    assert delivered.reason == ""
    assert delivered.said("there") == f"logged to there, run {delivered.run_id}"
    assert not store.notes(KIND)
    assert names(up, "direct") == ["direct"]


def test_runs_made_while_mlflow_is_down_are_sent_later_in_order_at_their_own_time(
    up: Tracker, down: Tracker, store: MemoryStore
) -> None:
    backlog = Backlog(store)
    for i in range(3):
        delivered = backlog.deliver(down, record(f"later {i}", AT + i))
        assert delivered.run_id is None
        kept = "the run is kept in the store and sent with the next one"
        assert delivered.said(down.uri) == f"not logged yet: {delivered.reason}; {kept}"
        assert delivered.reason
    assert [note.at for note in store.notes(KIND)] == [AT, AT + 1, AT + 2]
    assert backlog.drain(down) == 0
    assert backlog.drain(up) == 3
    assert backlog.drain(up) == 0
    assert not store.notes(KIND)
    assert names(up, "later") == ["later 0", "later 1", "later 2"]
    assert {run["started_at"] for run in up.runs("policy") if run["name"] == "later 2"} == {AT + 2}


def test_a_new_run_goes_after_those_that_wait(up: Tracker, down: Tracker, store: MemoryStore) -> None:
    backlog = Backlog(store)
    backlog.deliver(down, record("queue 0"))
    assert backlog.deliver(up, record("queue 1", AT + 1)).run_id is not None
    assert names(up, "queue") == ["queue 0", "queue 1"]


def test_a_run_that_was_sent_but_not_forgotten_is_not_written_twice(up: Tracker, store: MemoryStore) -> None:
    """A crash between sending and forgetting."""
    once = record("once")
    store.note(KIND, AT, once.to_bytes())
    up.send(once)
    assert Backlog(store).drain(up) == 1
    assert names(up, "once") == ["once"]


def test_while_one_process_drains_another_sends_nothing(up: Tracker, store: MemoryStore) -> None:
    store.note(KIND, AT, record("taken").to_bytes())
    assert store.lease(KIND, "another", time.time(), 60.0) is not None
    backlog = Backlog(store)
    assert backlog.drain(up) == 0
    assert backlog.deliver(up, record("behind it")).run_id is None
    assert len(store.notes(KIND)) == 2


@contextmanager
def hanging() -> Iterator[str]:
    """A server that takes connections and requests, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def accept() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:  # closed: the test is over
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        for connection in held:
            connection.close()


def test_a_server_that_never_answers_holds_up_nobody(store: MemoryStore) -> None:
    with hanging() as uri:
        began = time.monotonic()
        delivered = Backlog(store).deliver(Tracker(uri), record("hangs"))
        assert time.monotonic() - began < SOON
    assert delivered.run_id is None
    assert len(store.notes(KIND)) == 1


@pytest.mark.parametrize("scheme", ["http://", "postgresql+psycopg://nobody:secret@"])
def test_an_address_where_nobody_listens_is_told_within_seconds(store: MemoryStore, scheme: str) -> None:
    tracker = Tracker(f"{scheme}127.0.0.1:{free_port()}")
    began = time.monotonic()
    delivered = Backlog(store).deliver(tracker, record("nobody"))
    assert time.monotonic() - began < SOON
    assert delivered.run_id is None
    assert "secret" not in delivered.reason


def test_what_mlflow_refuses_for_good_is_set_aside_and_holds_up_nothing(
    up: Tracker, down: Tracker, store: MemoryStore
) -> None:
    """A name that no registered model can have, and bytes that are no record."""
    bad = RunRecord(
        experiment="policy",
        name="bad",
        started_at=AT,
        registration=Registration(model="a/b", folder="nothing"),
    )
    backlog = Backlog(store)
    backlog.deliver(down, bad)
    store.note(KIND, AT, b"no record")
    backlog.deliver(down, record("after the bad one"))
    assert backlog.drain(up) == 1
    assert names(up, "after the bad one") == ["after the bad one"]
    assert [note.body for note in store.notes(REFUSED)] == [bad.to_bytes(), b"no record"]
    assert "refuses" in backlog.deliver(up, bad).reason


def test_a_model_of_sixty_four_megabytes_is_kept_and_sent(
    up: Tracker, down: Tracker, store: MemoryStore, tmp_path: Path
) -> None:
    model = bytes(64 * 2**20)
    heavy = RunRecord(
        experiment="policy", name="heavy", started_at=AT, files={"policy": {"model.txt": model}}
    )
    Backlog(store).deliver(down, heavy)
    assert Backlog(store).drain(up) == 1
    folder = Path(up.uri.removeprefix("sqlite:///")).parent / "mlartifacts" / "policy"
    assert [path.stat().st_size for path in folder.rglob("model.txt")] == [len(model)]
