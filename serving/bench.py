"""Measure what a durable decision over HTTP costs, against a route that does nothing.

Both sides run on the same server with the same settings, in one process each, under the same load from a
process of its own, in turns, so that whatever else the machine does hits both. How it is measured and how to
read it: `docs/benchmarks.md`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from time import perf_counter, time

import numpy as np

from nba.artefacts import Artefacts
from nba.playbook.compile import Playbook, load
from nba.policies.artefact import made_up_contexts, seal
from nba.policies.batch import TrainingBatch
from nba.policies.draw import draw
from nba.policies.learners import LEARNERS
from nba.policies.served import ServedPolicy, UniformPolicy
from nba.stores.open import open_store
from serving.load import Load, Measured

CONNECTIONS, CUSTOMERS = 64, 20_000
ROUNDS, SECONDS = 5, 3.0
_PATH = "/v1/decisions"
_SAMPLE = Path(__file__).parents[1] / "nba" / "playbook" / "sample.yaml"
_SERVE = [sys.executable, "-c", "from nba.cli import main; main()", "serve", "--port", "0"]
_MOMENTS = 4_000


def decide_http(
    rounds: int = ROUNDS, seconds: float = SECONDS, customers: int = CUSTOMERS
) -> dict[str, float | str]:
    """Decisions a second over 64 connections, made by a trained policy for customers who consented.

    `ratio` is the throughput as a share of the no-op route's, `p99_ratio` how many times its p99 ours is,
    each of the medians over the rounds; `busiest_load` near 1 would mean that the generator was measured.
    """
    with tempfile.TemporaryDirectory(prefix=".nba-bench-", dir=Path.cwd()) as name:
        folder = Path(name)
        _prepare(folder)
        with _running(_SERVE, folder) as ours:
            _consent(ours, customers)
            answer = _post(ours, _PATH, {"customer_id": "c-0", "context": {"device": "ios"}})
            with _running([sys.executable, "-m", "serving.noop", answer.decode()], folder) as noop:
                told = _in_turns((ours, noop), _bodies(customers), rounds, seconds)
        return line(*told, fsync_ms=1e3 * _fsync_seconds(folder))


def line(ours: Sequence[Measured], noop: Sequence[Measured], fsync_ms: float) -> dict[str, float | str]:
    """The measure of the rounds of both sides. Raises RuntimeError where a request failed."""
    failed = sum(measured.failed for measured in (*ours, *noop))
    if failed:
        raise RuntimeError(f"{failed} requests failed, so nothing was measured")
    rate, baseline = (median(m.rate for m in side) for side in (ours, noop))
    p50, noop_p50 = (1e3 * median(m.p50 for m in side) for side in (ours, noop))
    p99, noop_p99 = (1e3 * median(m.p99 for m in side) for side in (ours, noop))
    return {
        "name": "decide.http",
        "value": rate,
        "unit": "decisions/s",
        "baseline": baseline,
        "ratio": rate / baseline,
        "p50_ms": p50,
        "p99_ms": p99,
        "baseline_p50_ms": noop_p50,
        "baseline_p99_ms": noop_p99,
        "p99_ratio": p99 / noop_p99,
        "fsync_ms": fsync_ms,
        "contacts": median(m.contacts for m in ours),
        "busiest_load": max(m.busy for m in (*ours, *noop)),
    }


def _in_turns(
    ports: tuple[int, int], bodies: list[str], rounds: int, seconds: float
) -> tuple[list[Measured], list[Measured]]:
    """Rounds of load on the two ports in turns, after one of each that is not counted."""
    sides: tuple[list[Measured], list[Measured]] = ([], [])
    for turn in range(rounds + 1):
        for port, side in zip(ports, sides, strict=True):
            start = turn * len(bodies) // (rounds + 1)  # other customers each round: caps fill up
            load = Load(
                port=port,
                path=_PATH,
                bodies=bodies[start:] + bodies[:start],
                connections=CONNECTIONS,
                seconds=seconds if turn else min(seconds, 1.0),
            )
            side.append(_generated(load))
    return sides[0][1:], sides[1][1:]


def _generated(load: Load) -> Measured:
    generator = subprocess.run(
        [sys.executable, "-m", "serving.load"],
        input=json.dumps(asdict(load)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Measured(**json.loads(generator.stdout))


def _bodies(customers: int) -> list[str]:
    devices = ("ios", "android", "web")
    return [
        json.dumps({"customer_id": f"c-{i}", "context": {"device": devices[i % 3]}}) for i in range(customers)
    ]


def _consent(port: int, customers: int) -> None:
    """All of them agree to marketing on every channel."""
    granted = {"purpose": "marketing", "granted": True}
    for start in range(0, customers, 1_000):
        events = [
            {"event_id": f"consent-{i}", "customer_id": f"c-{i}", "type": "consent", "properties": granted}
            for i in range(start, min(customers, start + 1_000))
        ]
        receipt = json.loads(_post(port, "/v1/events", {"events": events}))
        if receipt["rejected"]:
            raise RuntimeError(f"the playbook does not take consent: {receipt['rejected'][0]['detail']}")


def _post(port: int, path: str, body: object) -> bytes:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", path, json.dumps(body))
        answer = connection.getresponse()
        told = answer.read()
    finally:
        connection.close()
    if answer.status not in (201, 202):
        raise RuntimeError(f"{path} answered {answer.status}")
    return told


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[int]:
    """A server process in `folder`, and its port, which it prints when it can be called."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"{command[1:4]} did not start")
        yield int(line.rpartition(":")[2])
    finally:
        process.terminate()
        process.wait(15)


def _prepare(folder: Path) -> None:
    """The sample playbook, and a store in which a trained policy serves."""
    path = folder / "playbook.yaml"
    path.write_bytes(_SAMPLE.read_bytes())
    playbook = load(path)
    model = LEARNERS["ridge"].fit(playbook, _log(playbook), 0)
    policy = ServedPolicy.of(model, playbook.spec.exploration)
    artefact = seal(policy, playbook, data_from=0.0, data_to=1.0, rows=_MOMENTS, parameters={})
    version = Artefacts(folder / "artefacts").write(artefact)
    store = open_store(f"sqlite:///{folder / 'nba.db'}")
    try:
        store.publish(
            kind="policy",
            version=version,
            specification="ridge",
            at=time(),
            who="bench",
            why="to be measured",
        )
    finally:
        store.close()


def _log(playbook: Playbook) -> TrainingBatch:
    """Made-up decisions in which contacts are worth more than silence, which of them by the customer."""
    rng, arms = np.random.default_rng(0), playbook.arms
    X = made_up_contexts(playbook.schema, _MOMENTS)
    eligible = np.ones((_MOMENTS, len(arms)), dtype=np.bool_)
    odds = UniformPolicy.of(playbook).choose(X, eligible).odds
    arm = draw(odds, rng.random(_MOMENTS))
    worth = rng.normal(size=(len(arms), 3))
    fit = (worth[arm] * np.nan_to_num(X[:, :3]).clip(-3, 3)).sum(axis=1)
    reward = np.where(arm > 0, 1.0 + fit, 0.0) + rng.normal(size=_MOMENTS)
    return TrainingBatch(
        features=X, arm=arm, reward=reward, propensity=odds[np.arange(_MOMENTS), arm], eligible=eligible
    )


def _fsync_seconds(folder: Path, times: int = 100) -> float:
    """The median time of one page written and synced where the store is."""
    seconds = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(times):
            started = perf_counter()
            file.write(bytes(4_096))
            os.fsync(file.fileno())
            seconds.append(perf_counter() - started)
    return median(seconds)
