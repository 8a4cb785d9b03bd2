"""The desk against a real MLflow server on PostgreSQL, its files served by it; killed and started again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.backlog import KIND, Backlog
from experiments.tracking import Registration, RunRecord, Tracker, align
from nba import promotion
from nba.stores.memory import MemoryStore
from tests.experiments.mlflow_server import MlflowServer, mlflow_server

pytestmark = pytest.mark.slow
AT = 1_780_000_000.0
MODEL = bytes(range(256)) * 4_096 * 64  # 64 MB


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as running:
        yield running


def record(sha: str, at: float, model: bytes = b"trees") -> RunRecord:
    tags = {"version": sha, "model": "shop"}
    return RunRecord(
        experiment="policy",
        name=f"ridge {sha}",
        started_at=at,
        params={f"parameter {i}": i for i in range(150)},
        metrics=[("value", 1.0 + i, i) for i in range(150)],
        tags=tags,
        tables={"candidates.json": [{"specification": "ridge", "value": 1.5}]},
        files={"policy": {"model.txt": model}},
        figures={"values.png": b"\x89PNG"},
        registration=Registration(model="shop", folder="policy", tags=tags, description="# Ridge"),
    )


def client_of(tracker: Tracker) -> Any:
    return tracker._connected().MlflowClient()


def test_runs_files_versions_and_aliases_stand_on_the_server(server: MlflowServer, tmp_path: Path) -> None:
    tracker, store = Tracker(server.uri), MemoryStore("request", secret=bytes(32))
    run_id = tracker.send(record("one", AT, MODEL))
    assert tracker.send(record("two", AT + 1)) != run_id
    (run,) = [run for run in tracker.runs("policy") if run["run_id"] == run_id]
    assert (run["status"], run["started_at"], len(run["params"])) == ("FINISHED", AT, 150)
    client = client_of(tracker)
    assert len(client.get_metric_history(run_id, "value")) == 150
    assert Path(client.download_artifacts(run_id, "policy/model.txt", str(tmp_path))).read_bytes() == MODEL
    first, second = tracker.versions("shop")
    assert client.get_model_version("shop", str(first.number)).description == "# Ridge"
    served = store.publish(kind="policy", version="one", specification="ridge", at=AT, who="t", why="t")
    assert align(tracker, "shop", promotion.standing(store)) == {
        "champion": first.number,
        "candidate": second.number,
    }
    assert tracker.run_of(served.name, "shop") == run_id
    promotion.rollback(store, at=AT, who="t", why="t")
    assert align(tracker, "shop", promotion.standing(store)) == {"candidate": second.number}
    assert tracker.aliases("shop") == {"candidate": second.number}


def test_a_run_opened_by_a_person_works_on_the_server(server: MlflowServer) -> None:
    tracker = Tracker(server.uri)
    with tracker.run("evaluation", "by hand", {"a": 1}) as run:
        run.log_metrics({"value": 2.0})
        run.log_table([{"a": 1}], "a.json")
    assert [found["metrics"] for found in tracker.runs("evaluation")] == [{"value": 2.0}]


def test_an_outage_delays_runs_and_loses_and_doubles_none(server: MlflowServer) -> None:
    """Killed between two runs and in the middle of one; what was kept arrives in order, at its own time."""
    tracker, store = Tracker(server.uri), MemoryStore("request", secret=bytes(32))
    backlog = Backlog(store)
    runs = [record(f"outage {i}", AT + 100 + i) for i in range(4)]
    assert backlog.deliver(tracker, runs[0]).run_id is not None
    begun = client_of(tracker).create_run(  # how far a sender came that died with the server
        client_of(tracker).get_experiment_by_name("policy").experiment_id,
        start_time=round(runs[1].started_at * 1_000),
        tags={"record": runs[1].id},
        run_name=runs[1].name,
    )
    server.kill()
    began = time.monotonic()
    assert [backlog.deliver(tracker, run).run_id for run in runs[1:]] == [None, None, None]
    assert time.monotonic() - began < 60.0, "seconds each, on a machine of any speed"
    assert len(store.notes(KIND)) == 3
    server.start()
    assert backlog.drain(tracker) == 3
    assert not store.notes(KIND)
    found = [run for run in tracker.runs("policy") if run["name"].startswith("ridge outage")]
    found.sort(key=lambda run: run["started_at"])
    assert [run["name"] for run in found] == [run.name for run in runs]
    assert [run["started_at"] for run in found] == [run.started_at for run in runs]
    assert {run["status"] for run in found} == {"FINISHED"}
    assert found[1]["run_id"] == begun.info.run_id
    made = [v.tags["version"] for v in tracker.versions("shop") if v.tags["version"].startswith("outage")]
    assert made == ["outage 0", "outage 1", "outage 2", "outage 3"]
