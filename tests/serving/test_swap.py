"""Policies come and go while requests do."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import httpx

from nba.artefacts import Artefacts
from nba.policies.artefact import seal
from nba.policies.served import ConstantPolicy, UniformPolicy
from nba.stores.memory import MemoryStore
from tests.serving.running import sample, served, wiring


def publish(store: MemoryStore, version: str, specification: str) -> str:
    published = store.publish(
        kind="policy", version=version, specification=specification, at=time.time(), who="test", why="swap"
    )
    return f"{specification}@{published.number}"


def versions(folder: Path) -> dict[str, str]:
    """Two policies that differ, as artefacts in `folder`: specification → version."""
    book = sample()
    policies = (UniformPolicy.of(book), ConstantPolicy.of(book, arm=0))
    sealed = (seal(p, book, data_from=0.0, data_to=86_400.0, rows=1, parameters={}) for p in policies)
    return {artefact.manifest.specification: Artefacts(folder).write(artefact) for artefact in sealed}


def until_served(http: httpx.Client, policy: str) -> None:
    until = time.monotonic() + 30
    while http.get("/readyz").json()["policy"] != policy:
        assert time.monotonic() < until, f"{policy} never served"
        time.sleep(0.01)


def test_no_request_fails_while_policies_are_swapped(tmp_path: Path) -> None:
    store, known = MemoryStore(), versions(tmp_path)
    stop = threading.Event()
    statuses: list[int] = []
    named: set[str] = set()

    def ask(http: httpx.Client) -> None:
        while not stop.is_set():
            answer = http.post("/v1/decisions", json={"customer_id": f"swap-{len(statuses) % 50}"})
            statuses.append(answer.status_code)
            named.add(answer.json().get("policy", "none"))

    with served(wiring(tmp_path, store=store, refresh_seconds=0.02)) as http:
        threads = [threading.Thread(target=ask, args=(http,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        served_ones = []
        for specification in ("constant", "uniform", "constant", "uniform", "constant"):
            served_ones.append(publish(store, known[specification], specification))
            until_served(http, served_ones[-1])
            time.sleep(0.1)
        stop.set()
        for thread in threads:
            thread.join()
        metrics = http.get("/metrics").text.splitlines()
    assert set(statuses) == {201}
    assert named >= set(served_ones[1:])
    serving = [line for line in metrics if line.startswith("nba_policy_info{") and line.endswith(" 1.0")]
    assert len(serving) == 1
    assert f'policy="{served_ones[-1]}"' in serving[0]


def test_what_serves_says_since_when_and_trained_through_when(tmp_path: Path) -> None:
    store, known = MemoryStore(), versions(tmp_path)
    name = publish(store, known["constant"], "constant")
    with served(wiring(tmp_path, store=store)) as http:
        serves = http.get("/v1/policy").json()
    assert (serves["policy"], serves["number"], serves["artefact"]) == (name, 1, known["constant"])
    assert serves["trained_through"] == "1970-01-02T00:00:00Z"
    assert serves["serving_since"].endswith("Z")


def test_bytes_that_rot_while_it_serves_change_nothing(tmp_path: Path) -> None:
    store, known = MemoryStore(), versions(tmp_path)
    with served(wiring(tmp_path, store=store, refresh_seconds=0.02)) as http:
        until_served(http, publish(store, known["constant"], "constant"))
        rotten = Artefacts(tmp_path).path(known["uniform"])
        manifest = (rotten / "manifest.json").read_bytes()
        (rotten / "manifest.json").write_bytes(b"{")
        publish(store, known["uniform"], "uniform")
        until = time.monotonic() + 30
        while "nba_artefacts_refused_total 0.0" in http.get("/metrics").text:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert http.get("/readyz").json()["policy"] == "constant@1"
        assert http.post("/v1/decisions", json={"customer_id": "rot-1"}).status_code == 201
        (rotten / "manifest.json").write_bytes(manifest)
        until_served(http, "uniform@2")
