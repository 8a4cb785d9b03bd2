"""When the store is in trouble: told at once, told before it is too late, and over without a restart."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from structlog.testing import capture_logs

from nba.errors import StoreUnavailable
from nba.stores.memory import MemoryStore, MemoryTransaction
from tests.serving.running import lines, problem, served, value, wiring

GIB, MIB = 2**30, 2**20


class FullDisk(MemoryStore):
    """A store that can't be written while `full`; finding that out takes `seconds`."""

    full = True
    seconds = 0.0
    tries = 0

    @contextmanager
    def transaction(self) -> Iterator[MemoryTransaction]:
        self.tries += 1
        self.ping()
        with super().transaction() as transaction:
            yield transaction

    def ping(self) -> None:
        if self.full:
            time.sleep(self.seconds)
            raise StoreUnavailable("the disk is full")


class Shrinking(MemoryStore):
    """A store on a disk with so much room."""

    room: int | None = None

    def free_bytes(self) -> int | None:
        return self.room


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    over = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < over
        time.sleep(0.01)


BODIES = {
    "/v1/decisions": {"customer_id": "full-1"},
    "/v1/decisions:batch": {"decisions": [{"customer_id": "full-1"}, {"customer_id": "full-2"}]},
    "/v1/events": {"events": []},
}


def test_a_full_disk_is_a_503_until_there_is_room_again(tmp_path: Path) -> None:
    store = FullDisk()
    with served(wiring(tmp_path, store=store)) as http:
        for path, body in BODIES.items():
            answer = http.post(path, json=body)
            assert problem(answer, 503)["type"] == "/problems/store-unavailable"
            assert int(answer.headers["retry-after"]) >= 1
        problem(http.get("/readyz"), 503)
        assert http.get("/healthz").status_code == 200
        store.full = False
        until(lambda: http.post("/v1/decisions", json=BODIES["/v1/decisions"]).status_code == 201)
        assert [http.post(p, json=b).status_code for p, b in BODIES.items()] == [201, 200, 202]
        assert http.get("/readyz").status_code == 200


def test_while_the_store_hangs_only_one_try_at_a_time_waits_for_it(tmp_path: Path) -> None:
    """400 requests over at least eight tries of a second would take minutes if each waited for its own."""
    store = FullDisk()
    store.seconds = 1.0
    with served(wiring(tmp_path, store=store)) as http, ThreadPoolExecutor(16) as pool:

        def ask(i: int) -> int:
            return http.post("/v1/decisions", json={"customer_id": f"hang-{i}"}).status_code

        assert set(pool.map(ask, range(400))) == {503}
        assert store.tries < 40


def test_little_room_is_told_before_there_is_none(tmp_path: Path) -> None:
    store = Shrinking()
    with served(wiring(tmp_path, store=store)) as http, capture_logs() as logs:
        assert http.get("/readyz").json()["disk"] == {"free_bytes": None, "low": False}
        store.room = 5 * GIB
        assert http.get("/readyz").json()["disk"] == {"free_bytes": 5 * GIB, "low": False}
        store.room = GIB - 1
        answer = http.get("/readyz")
        assert (answer.status_code, answer.json()["disk"]) == (200, {"free_bytes": GIB - 1, "low": True})
        assert value(lines(http), "nba_disk_free_bytes") == GIB - 1
        store.room = 64 * MIB - 1
        document = problem(http.get("/readyz"), 503)
        assert document["type"] == "/problems/no-room"
        assert http.post("/v1/decisions", json={"customer_id": "room-1"}).status_code == 201
        store.room = 5 * GIB
        assert http.get("/readyz").status_code == 200
    events = [line["event"] for line in logs if line["event"].startswith("disk_low")]
    assert events == ["disk_low", "disk_low_over"]


def test_a_worker_looks_at_the_disk_by_itself(tmp_path: Path) -> None:
    store = Shrinking()
    store.room = GIB // 2
    with capture_logs() as logs, served(wiring(tmp_path, store=store)):
        assert [line["free_bytes"] for line in logs if line["event"] == "disk_low"] == [GIB // 2]


class Slow(MemoryStore):
    """A store whose transactions wait at a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.reached = threading.Event(), threading.Event()

    @contextmanager
    def transaction(self) -> Iterator[MemoryTransaction]:
        self.reached.set()
        assert self.gate.wait(30)
        with super().transaction() as transaction:
            yield transaction


def test_bodies_of_a_thousand_wait_their_turn_and_are_no_overload(tmp_path: Path) -> None:
    """Five of them are more than the queue holds."""
    store = Slow()
    batch = {"decisions": [{"customer_id": f"q-{i}"} for i in range(1_000)]}
    with served(wiring(tmp_path, store=store)) as http, ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(http.post, "/v1/decisions:batch", json=batch) for _ in range(5)]
        until(lambda: store.reached.is_set())
        single = pool.submit(http.post, "/v1/decisions", json={"customer_id": "single-1"})
        time.sleep(0.2)
        store.gate.set()
        assert single.result().status_code == 201
        for one in asked:
            answers = one.result().json()["answers"]
            assert {answer.get("status", 201) for answer in answers} == {201}
