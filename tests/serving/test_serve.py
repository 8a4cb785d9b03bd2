"""`nba serve` as a process: starts, shares, survives, ends."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from nba.errors import InvalidInput, InvalidPlaybook
from serving.commands.serve import serve
from tests.serving.running import SAMPLE, Serve, client, consented, problem, serving

WORKERS = ("--workers", "2")


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """One worker."""
    with serving(tmp_path_factory.mktemp("one")) as process:
        yield process


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Two workers on one port and one store."""
    with serving(tmp_path_factory.mktemp("two"), *WORKERS) as process:
        yield process


def contacts(http: httpx.Client, customer_id: str, requests: int, threads: int) -> list[dict[str, object]]:
    """Decisions for one customer, `threads` at a time; all have to be made."""

    def ask(i: int) -> dict[str, object]:
        answer = http.post(
            "/v1/decisions", json={"customer_id": customer_id, "decision_id": f"{customer_id}-{i}"}
        )
        assert answer.status_code == 201, answer.text
        decided: dict[str, object] = answer.json()
        return decided

    with ThreadPoolExecutor(threads) as pool:
        return [d for d in pool.map(ask, range(requests)) if d["channel"] is not None]


def test_it_prints_its_address_once_it_can_be_called_and_ends_with_0(tmp_path: Path) -> None:
    with serving(tmp_path) as process:
        with client(process.address) as http:
            assert http.get("/readyz").status_code == 200
        assert process.end() == 0


def test_answered_decisions_and_events_survive_kill_9(tmp_path: Path) -> None:
    with serving(tmp_path) as process, client(process.address) as http:
        consented(http, "survivor")
        answers = {}
        for i in range(20):
            asked = {"customer_id": "survivor", "decision_id": f"survivor-{i}"}
            answers[f"survivor-{i}"] = http.post("/v1/decisions", json=asked).content
        process.kill()
    with serving(tmp_path) as process, client(process.address) as http:
        for id, body in answers.items():
            again = http.post("/v1/decisions", json={"customer_id": "survivor", "decision_id": id})
            assert (again.status_code, again.content) == (200, body)
        event = {"event_id": "consent-survivor", "customer_id": "survivor", "type": "visit"}
        assert http.post("/v1/events", json={"events": [event]}).json()["duplicates"] == 1


def test_sixty_four_clients_are_no_overload(one: Serve) -> None:
    with client(one.address) as http:

        def ask(i: int) -> int:
            return http.post("/v1/decisions", json={"customer_id": f"crowd-{i % 97}"}).status_code

        with ThreadPoolExecutor(64) as pool:
            assert Counter(pool.map(ask, range(1_000))) == {201: 1_000}


def test_two_workers_share_one_cap(two: Serve) -> None:
    with client(two.address) as http:
        for customer in ("shared-1", "shared-2", "shared-3"):
            consented(http, customer)
            given = contacts(http, customer, requests=60, threads=16)
            assert len(given) <= 3
            assert len(given) == 3 or "holdout" in http.get(f"/v1/decisions/{customer}-0").json()["group"]


def test_metrics_add_up_the_workers_and_name_each(two: Serve) -> None:
    counter = 'nba_http_requests_total{method="POST",route="/v1/decisions",status="201"} '
    with client(two.address) as http:
        before = _value(http.get("/metrics").text, counter)
        contacts(http, "counted", requests=40, threads=16)
        until = time.monotonic() + 20  # a request is counted when its answer has gone out
        while _value(text := http.get("/metrics").text, counter) - before < 40:
            assert time.monotonic() < until
        assert _value(text, counter) - before == 40
        assert len({line for line in text.splitlines() if line.startswith("nba_policy_info{")}) == 2


def _value(text: str, name: str) -> float:
    return sum(float(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name))


def test_a_dead_worker_is_replaced(two: Serve) -> None:
    pids = _workers(two.address, 2)
    os.kill(min(pids), signal.SIGKILL)
    until = time.monotonic() + 20
    while _there(min(pids)):
        assert time.monotonic() < until
    assert len(_workers(two.address, 2) | pids) == 3


def _workers(address: str, count: int) -> set[int]:
    """Process ids of workers that answer, each asked over a new connection; the dead don't count."""
    seen: set[int] = set()
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with client(address) as http, ThreadPoolExecutor(8) as pool:
            try:
                seen = set(pool.map(lambda _: int(http.get("/readyz").json()["worker"]), range(32)))
            except httpx.TransportError:
                continue
        if len(seen) >= count:
            return seen
        time.sleep(0.05)
    raise AssertionError(f"only {seen} answered")


def test_workers_go_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path, *WORKERS) as process:
        pids = _workers(process.address, 2)
        process.kill()
        until = time.monotonic() + 30
        while any(map(_there, pids)) and time.monotonic() < until:
            time.sleep(0.02)
        assert not any(map(_there, pids))


def _there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_an_open_request_is_answered_before_the_end_and_an_endless_one_does_not_hold_it_up(
    tmp_path: Path,
) -> None:
    body = b'{"customer_id": "last-1"}'
    head = b"POST /v1/decisions HTTP/1.1\r\nhost: x\r\ncontent-length: 25\r\n\r\n"
    with serving(tmp_path) as process:
        address = httpx.URL(process.address)
        at = (address.host, address.port or 0)
        with socket.create_connection(at, 10) as slow, socket.create_connection(at, 10) as endless:
            slow.sendall(head + body[:1])
            endless.sendall(head + body[:1])
            time.sleep(0.2)
            started = time.monotonic()
            process.process.terminate()
            time.sleep(0.2)
            slow.sendall(body[1:])
            assert slow.recv(200).startswith(b"HTTP/1.1 201 ")
            assert process.process.wait(10) == 0
            assert time.monotonic() - started < 10


def test_every_decision_that_was_stored_has_been_answered_when_it_ends_under_load(tmp_path: Path) -> None:
    answered: set[str] = set()

    def ask(address: str, thread: int) -> None:
        with client(address) as http:
            for i in range(100_000):
                asked = {"customer_id": f"drain-{thread}", "decision_id": f"drain-{thread}-{i}"}
                try:
                    answer = http.post("/v1/decisions", json=asked)
                except httpx.TransportError:  # it has closed the connection, or takes no more
                    return
                if answer.status_code == 201:
                    answered.add(answer.json()["decision_id"])

    with serving(tmp_path) as process, ThreadPoolExecutor(32) as pool:
        asking = [pool.submit(ask, process.address, thread) for thread in range(32)]
        until = time.monotonic() + 30
        while len(answered) < 200:
            assert time.monotonic() < until
            time.sleep(0.01)
        started = time.monotonic()
        assert process.end() == 0
        assert time.monotonic() - started < 10
        for one in asking:
            one.result()
    with closing(sqlite3.connect(tmp_path / "nba.db")) as store:
        stored = {id for (id,) in store.execute("SELECT decision_id FROM decisions")}
    assert stored == answered


def test_another_program_that_locks_the_store_is_told_of_until_it_lets_go(one: Serve) -> None:
    with client(one.address) as http:
        other = sqlite3.connect(one.folder / "nba.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        answer = http.post("/v1/decisions", json={"customer_id": "locked-1"})
        other.execute("ROLLBACK")
        other.close()
        problem(answer, 503)
        until = time.monotonic() + 20
        while http.post("/v1/decisions", json={"customer_id": "locked-1"}).status_code != 201:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_a_port_in_use_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "playbook.yaml").write_bytes(SAMPLE.read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInput, match=f"127.0.0.1:{port} can't be bound"):
            serve(port=port)
    assert [path.name for path in tmp_path.iterdir()] == ["playbook.yaml"]


def test_a_missing_playbook_is_told_with_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidPlaybook, match="nba init"):
        serve(port=0)
    assert not list(tmp_path.iterdir())


def test_a_simulation_store_stays_one(tmp_path: Path) -> None:
    with serving(tmp_path, "--clock", "request") as process, client(process.address) as http:
        problem(http.post("/v1/decisions", json={"customer_id": "c-1"}), 422)
    with serving(tmp_path) as process, client(process.address) as http:
        asked = {"customer_id": "c-1", "at": "2026-11-21T18:00:00Z"}
        assert http.post("/v1/decisions", json=asked).status_code == 201
