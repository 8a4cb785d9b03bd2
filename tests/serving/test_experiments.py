"""Experiments and ramps over HTTP: what is told of them, and swaps while they run."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from nba.artefacts import Artefacts
from nba.playbook.compile import Playbook, parse
from nba.playbook.document import Document
from nba.policies.artefact import seal
from nba.policies.policy import Policy
from nba.policies.served import ConstantPolicy, UniformPolicy
from nba.stores.memory import MemoryStore
from tests.serving.running import SAMPLE, lines, served, value, wiring

EXPERIMENTS = [
    {
        "name": "bolder",
        "share": 0.5,
        "ends": "2199-01-01T00:00:00Z",
        "variants": {
            "careful": {},
            "bold": {"weight": 3, "change": {"exploration": {"ceiling": 0.8}}},
            "own": {"policy": "own"},
        },
    },
    {"name": "over", "ends": "2020-01-01T00:00:00Z", "layer": "two", "variants": {"a": {}, "b": {}}},
]
NOBODY = {"holdout": 0, "random_eligible": 0}


def book() -> Playbook:
    values = Document.parse(SAMPLE.read_text(encoding="utf-8")).values
    return parse(json.dumps({**values, "groups": NOBODY, "experiments": EXPERIMENTS}, default=str))


def publish(store: MemoryStore, folder: Path, policy: Policy, kind: str, **more: Any) -> str:
    artefact = seal(policy, book(), data_from=0.0, data_to=86_400.0, rows=1, parameters={})
    version = Artefacts(folder).write(artefact)
    published = store.publish(
        kind=kind,
        version=version,
        specification=policy.specification,
        at=time.time(),
        who="test",
        why="test",
        **more,
    )
    return published.name


def until(http: httpx.Client, **wanted: Any) -> Mapping[str, Any]:
    """What serves once it has these fields."""
    deadline = time.monotonic() + 60
    while True:
        serves: Mapping[str, Any] = http.get("/v1/policy").json()
        if all(serves[name] == value for name, value in wanted.items()):
            return serves
        assert time.monotonic() < deadline, serves
        time.sleep(0.02)


def test_what_serves_tells_the_ramp_and_the_experiments_that_run(tmp_path: Path) -> None:
    store, playbook = MemoryStore(), book()
    constant = ConstantPolicy.of(playbook, 0)
    with served(wiring(tmp_path, store=store, playbook=playbook)) as http:
        bare = http.get("/v1/policy").json()
        assert (bare["ramp"], set(bare["experiments"])) == (None, {"bolder"})
        champion = publish(store, tmp_path, constant, "policy")
        own = publish(store, tmp_path, UniformPolicy.of(playbook), "variant.bolder.own")
        ramp = publish(store, tmp_path, UniformPolicy.of(playbook), "ramp", share=0.25)
        deadline = time.monotonic() + 60
        while (serves := http.get("/v1/policy").json())["ramp"] is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        page = lines(http)
    assert {name: serves["ramp"][name] for name in ("policy", "share")} == {"policy": ramp, "share": 0.25}
    told = serves["experiments"]["bolder"]
    assert told["variants"] == {
        "careful": {"policy": champion, "weight": 1.0},
        "bold": {"policy": champion, "weight": 3.0},
        "own": {"policy": own, "weight": 1.0},
    }
    assert (told["exposes_from"], told["exposes_until"]) == (None, "2199-01-01T00:00:00Z")
    assert value(page, "nba_ramp_share", policy=ramp) == 0.25


def test_decisions_by_variant_are_counted(tmp_path: Path) -> None:
    with served(wiring(tmp_path, playbook=book())) as http:
        bodies = [http.post("/v1/decisions", json={"customer_id": f"c-{i}"}).json() for i in range(60)]
        deadline = time.monotonic() + 30
        while value(lines(http), "nba_decisions_total") < 60:
            assert time.monotonic() < deadline
        page = lines(http)
    for variant in ("careful", "bold", "own"):
        there = sum(body["experiment"] == {"bolder": variant} for body in bodies)
        labels = {"experiment": "bolder", "variant": variant}
        assert value(page, "nba_experiment_decisions_total", **labels) == there
    assert {str(body["experiment"]) for body in bodies} > {"None"}


def test_no_request_fails_while_ramps_and_variants_come_and_go(tmp_path: Path) -> None:
    store, playbook = MemoryStore(), book()
    stop, failures, asked = threading.Event(), list[Any](), list[Mapping[str, Any]]()

    def ask(http: httpx.Client, worker: int) -> None:
        while not stop.is_set():
            answer = http.post("/v1/decisions", json={"customer_id": f"c-{worker}-{len(asked) % 40}"})
            if answer.status_code != 201:
                failures.append(answer.text)
            asked.append(answer.json())

    silent, uniform = ConstantPolicy.of(playbook, 0), UniformPolicy.of(playbook)
    with served(wiring(tmp_path, store=store, playbook=playbook, refresh_seconds=0.02)) as http:
        threads = [threading.Thread(target=ask, args=(http, worker)) for worker in range(6)]
        for thread in threads:
            thread.start()
        names = {"uniform@0"}
        for share in (0.1, 0.5, 0.9):
            champion = publish(store, tmp_path, silent, "policy")
            ramp = publish(store, tmp_path, uniform, "ramp", share=share)
            own = publish(store, tmp_path, silent, "variant.bolder.own")
            until(http, policy=champion)
            names |= {champion, ramp, own}
            time.sleep(0.2)
        store.publish(kind="ramp", version="", specification="", at=time.time(), who="t", why="t", share=0.0)
        until(http, ramp=None)
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures
    assert {answer["policy"] for answer in asked} <= names
    # A customer's variant is the same under every policy.
    variants: dict[str, set[str]] = {}
    for answer in asked:
        variants.setdefault(answer["customer_id"], set()).add(str(answer["experiment"]))
    assert {len(found) for found in variants.values()} == {1}
