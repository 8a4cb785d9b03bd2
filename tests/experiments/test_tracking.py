from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

from experiments.tracking import (
    Registration,
    RunRecord,
    Tracker,
    align,
    fingerprint,
    fingerprint_of_columns,
)
from nba import promotion
from nba.errors import CorruptArtefact, InvalidInput, NotFound, StoreUnavailable
from nba.stores.memory import MemoryStore
from nba.stores.ports import Publication

AT = 1_780_000_000.25
WHOLE = RunRecord(
    experiment="policy",
    name="ridge",
    started_at=AT,
    id="0123456789abcdef" * 2,
    params={"rows": 300, "champion": "uniform@0"},
    metrics=[("value", 1.25, 0), ("regret", 0.5, 1), ("regret", 0.25, 2), ("unknown", float("nan"), 0)],
    tags={"version": "abc", "policy": "ridge@7"},
    tables={"arms.json": [{"arm": "push", "drawn": 3}, {"arm": "mail", "drawn": 4}]},
    dicts={"card.json": {"rows": 300, "deep": {"a": [1, 2]}}},
    texts={"card.md": "# Ridge €\n"},
    files={"policy": {"manifest.json": b"{}", "W.npy": bytes(range(256))}},
    figures={"plots/values.png": b"\x89PNG"},
    registration=Registration(model="shop", folder="policy", tags={"version": "abc"}, description="# Ridge"),
)
NAMES = st.text("abcXYZ019_-. /:", min_size=1, max_size=20)


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Tracker:
    folder = tmp_path_factory.mktemp("tracking")
    return Tracker(f"sqlite:///{folder / 'mlflow.db'}")


def test_what_a_run_logs_can_be_read_back(tracker: Tracker) -> None:
    with tracker.run("churn", "first", {"trees": 12}, {"playbook": "shop@1"}) as run:
        run.log_metrics({"roc_auc": 0.8, "lift_10": float("nan")})
        run.log_figure(Figure(), "curve.png")
        run.log_table([{"low": 0.1, "high": 0.2}], "curve.json")
        run.log_dict({"a": 1}, "shap.json")
        run.log_text("hello", "note.txt")
    (logged,) = tracker.runs("churn")
    assert logged["name"] == "first"
    assert logged["params"] == {"trees": "12"}
    assert logged["metrics"] == {"roc_auc": 0.8}  # MLflow has no NaN
    assert logged["tags"]["playbook"] == "shop@1"
    assert set(tracker.files(run.run_id)) == {"curve.png", "curve.json", "shap.json", "note.txt"}


def test_a_record_can_be_written_down_and_read_back() -> None:
    assert RunRecord.of_bytes(WHOLE.to_bytes()) == WHOLE
    assert [name for name, _, _ in WHOLE.metrics] == ["value", "regret", "regret"]  # MLflow has no NaN
    assert (
        RunRecord(experiment="x", name="x", started_at=AT).id
        != RunRecord(experiment="x", name="x", started_at=AT).id
    )


@given(
    files=st.dictionaries(
        st.text("abc", min_size=1), st.dictionaries(st.text("xyz", min_size=1), st.binary())
    ),
    figures=st.dictionaries(st.text("uvw", min_size=1), st.binary()),
    texts=st.dictionaries(st.text("rst", min_size=1), st.text()),
    metrics=st.lists(st.tuples(st.text("mno", min_size=1), st.floats(allow_nan=False), st.integers(0, 9))),
    at=st.floats(0, 4e9),
)
def test_any_record_survives_its_bytes(
    files: dict[str, dict[str, bytes]],
    figures: dict[str, bytes],
    texts: dict[str, str],
    metrics: list[tuple[str, float, int]],
    at: float,
) -> None:
    whole = replace(WHOLE, files=files, figures=figures, texts=texts, metrics=metrics, started_at=at)
    data = whole.to_bytes()
    assert RunRecord.of_bytes(data) == whole
    assert whole.to_bytes() == data


@given(cut=st.integers(0, len(WHOLE.to_bytes()) - 1))
def test_bytes_that_were_cut_short_are_told_as_corrupt(cut: int) -> None:
    with pytest.raises(CorruptArtefact, match="no record of a run"):
        RunRecord.of_bytes(WHOLE.to_bytes()[:cut])


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a//b", "a/../b", "", "ä", "x" * 251, "a'b"])
def test_a_name_that_mlflow_would_refuse_is_refused_when_the_record_is_made(path: str) -> None:
    with pytest.raises(InvalidInput, match="texts"):
        replace(WHOLE, texts={path: "x"})
    with pytest.raises(InvalidInput, match="metrics"):
        replace(WHOLE, metrics=[(path, 1.0, 0)])


def test_a_record_that_is_sent_is_a_run_with_all_it_holds_at_its_own_time(tracker: Tracker) -> None:
    run_id = tracker.send(WHOLE)
    (run,) = [run for run in tracker.runs("policy") if run["run_id"] == run_id]
    assert (run["name"], run["status"], run["started_at"]) == ("ridge", "FINISHED", AT)
    assert run["params"] == {"rows": "300", "champion": "uniform@0"}
    assert run["metrics"] == {"value": 1.25, "regret": 0.25}
    assert json.loads(run["tags"]["mlflow.loggedArtifacts"]) == [{"path": "arms.json", "type": "table"}]
    assert set(tracker.files(run_id)) == {"arms.json", "card.json", "card.md", "plots", "policy"}
    client = tracker._connected().MlflowClient()
    history = client.get_metric_history(run_id, "regret")
    assert [(m.step, m.value, m.timestamp) for m in history] == [(1, 0.5, AT * 1000), (2, 0.25, AT * 1000)]
    folder = Path(client.download_artifacts(run_id, ""))
    assert (folder / "policy" / "W.npy").read_bytes() == bytes(range(256))
    assert client.load_table(client.get_run(run_id).info.experiment_id, "arms.json", [run_id])[
        "drawn"
    ].tolist() == [3, 4]
    (version,) = tracker.versions("shop")
    assert (version.number, version.run_id, version.tags["version"]) == (1, run_id, "abc")


def test_a_record_sent_again_writes_nothing_and_a_half_written_one_is_finished(tracker: Tracker) -> None:
    whole = tracker.send(WHOLE)
    client = tracker._connected().MlflowClient()
    assert tracker.send(WHOLE) == whole
    half = replace(WHOLE, id="b" * 32, tags={"version": "half"})
    begun = client.create_run(
        client.get_experiment_by_name("policy").experiment_id,
        start_time=round(AT * 1000),
        tags={"record": half.id},
        run_name="ridge",
    )
    client.log_param(begun.info.run_id, "rows", 300)
    client.log_metric(begun.info.run_id, "regret", 0.5, timestamp=round(AT * 1000), step=1)
    assert tracker.send(half) == tracker.send(half) == begun.info.run_id
    assert len(client.get_metric_history(begun.info.run_id, "regret")) == 2
    assert len([v for v in tracker.versions("shop") if v.run_id == begun.info.run_id]) == 1
    assert client.get_run(begun.info.run_id).info.status == "FINISHED"


def test_a_run_that_a_person_deleted_is_not_written_again(tracker: Tracker) -> None:
    gone = replace(WHOLE, id="d" * 32, experiment="tidied", registration=None)
    tracker._connected().MlflowClient().delete_run(tracker.send(gone))
    tracker.send(gone)
    assert not tracker.runs("tidied")


def test_an_experiment_that_a_person_deleted_comes_back_with_the_next_run(tracker: Tracker) -> None:
    """MLflow keeps its name taken, so there is no other way to log to it."""
    client = tracker._connected().MlflowClient()
    first = replace(WHOLE, id="e" * 32, experiment="dropped", registration=None)
    tracker.send(first)
    client.delete_experiment(client.get_experiment_by_name("dropped").experiment_id)
    run_id = tracker.send(replace(first, id="f" * 32))
    assert run_id in [run["run_id"] for run in tracker.runs("dropped")]


def test_the_run_behind_a_decisions_policy_is_found_by_its_name(tracker: Tracker) -> None:
    """`linear@7` is not `linear@70`, and two playbooks may have one each."""
    model = {"shop": "s", "cafe": "c"}
    runs = {
        (shop, name): tracker.send(
            RunRecord(experiment="policy", name=name, started_at=AT, tags={"policy": name, "model": shop})
        )
        for shop in model
        for name in ("linear@70", "linear@7")
    }
    assert tracker.run_of("linear@7", "shop") == runs["shop", "linear@7"]
    assert tracker.run_of("linear@70", "cafe") == runs["cafe", "linear@70"]
    assert tracker.run_of("linear@7") in (runs["shop", "linear@7"], runs["cafe", "linear@7"])
    for unknown in ("uniform@0", "linear@8", "o'hare@1"):
        with pytest.raises(NotFound, match="no run"):
            tracker.run_of(unknown)


def test_aliases_follow_what_serves_and_go_back_after_a_rollback(tracker: Tracker) -> None:
    store = MemoryStore("request", secret=bytes(32))
    for i, sha in enumerate(("one", "two", "three")):
        tags = {"version": sha, "model": "desk"}
        tracker.send(
            RunRecord(
                experiment="policy",
                name=sha,
                started_at=AT + i,
                tags=tags,
                files={"policy": {"model": b"x"}},
                registration=Registration(model="desk", folder="policy", tags=tags),
            )
        )

    def publish(sha: str, kind: str) -> Publication:
        return store.publish(kind=kind, version=sha, specification="ridge", at=AT, who="t", why="t")

    def aliases() -> dict[str, int]:
        found = align(tracker, "desk", promotion.standing(store))
        assert align(tracker, "desk", promotion.standing(store)) == found == tracker.aliases("desk")
        return found

    assert align(tracker, "unknown", promotion.standing(store)) == {}
    assert aliases() == {"candidate": 3}
    publish("one", "policy")
    assert aliases() == {"champion": 1, "candidate": 3}
    looking = publish("three", "challenger")
    assert aliases() == {"champion": 1, "challenger": 3, "candidate": 2}
    ramp = publish("two", "ramp")
    assert aliases() == {"champion": 1, "challenger": 2, "candidate": 3}
    promotion.promote(store, ramp, at=AT, who="t", why="it holds")
    assert aliases() == {"champion": 2, "challenger": 3, "candidate": 1}
    promotion.withdraw(store, "challenger", at=AT, who="t", why="enough")
    promotion.rollback(store, at=AT, who="t", why="it doesn't")
    assert aliases() == {"champion": 1, "candidate": 3}
    publish("unsent", "policy")  # its run still waits to be sent: rather none than a wrong one
    assert aliases() == {"candidate": 3}
    assert tracker.run_of(ramp.name, "desk") == tracker.versions("desk")[1].run_id
    assert tracker.run_of(looking.name, "desk") == tracker.versions("desk")[2].run_id


def test_files_lie_beside_the_database(tracker: Tracker) -> None:
    with tracker.run("placed", "x") as run:
        run.log_text("x", "x.txt")
    folder = Path(tracker.uri.removeprefix("sqlite:///")).parent
    assert [p.name for p in (folder / "mlartifacts" / "placed").rglob("x.txt")] == ["x.txt"]


def test_a_logged_model_has_a_signature_and_predicts_the_same_when_loaded(tracker: Tracker) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 2)), columns=["a", "b"])
    model = LogisticRegression().fit(frame, frame["a"] > 0)
    with tracker.run("models", "logistic") as run:
        address = run.log_sklearn_model(model, ["a", "b"], 2, register="demo", alias="newest")
    for loaded in (tracker.load_model(address), tracker.load_model("models:/demo@newest")):
        assert loaded.metadata.signature.inputs.input_names() == ["a", "b"]
        np.testing.assert_allclose(loaded.predict(frame), model.predict_proba(frame), atol=1e-12)
        with pytest.raises(Exception, match="missing inputs"):
            loaded.predict(frame[["a"]])


def test_an_exception_inside_a_run_marks_it_failed_and_goes_on(tracker: Tracker) -> None:
    with pytest.raises(ZeroDivisionError), tracker.run("failing", "x"):
        raise ZeroDivisionError
    assert [run["status"] for run in tracker.runs("failing")] == ["FAILED"]


def test_a_database_that_cannot_be_opened_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database")
    with pytest.raises(StoreUnavailable, match=r"mlflow\.db"), Tracker(directory=tmp_path).run("x", "x"):
        pass


def test_the_address_is_the_argument_then_the_environment_then_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert Tracker(directory=tmp_path).uri == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    assert Tracker(directory=tmp_path).uri == "http://localhost:5000"
    assert Tracker("sqlite:///other.db").uri == "sqlite:///other.db"


def test_a_first_run_is_silent_without_telemetry_and_importing_does_not_load_mlflow(tmp_path: Path) -> None:
    code = """
import sys, experiments.tracking as t
assert "mlflow" not in sys.modules
with t.Tracker().run("quiet", "x") as run:
    run.log_metrics({"a": 1})
from mlflow.telemetry import get_telemetry_client
assert get_telemetry_client() is None
"""
    root = Path(__file__).parents[2]
    environment = {"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "mlflow.db").exists()


FRAME = pl.DataFrame(
    {"a": [1, 2, None], "b": [0.5, float("nan"), None], "c": ["x", None, ""], "d": [True, False, None]}
)


def test_a_fingerprint_does_not_depend_on_the_order_of_rows_unless_asked_to() -> None:
    turned = FRAME.reverse()
    assert fingerprint(FRAME) == fingerprint(turned)
    assert fingerprint(FRAME, ordered=True) != fingerprint(turned, ordered=True)


@pytest.mark.parametrize(
    "changed",
    [
        FRAME.with_columns(pl.col("b").fill_null(float("nan"))),
        FRAME.with_columns(pl.col("a").fill_null(0)),
        FRAME.with_columns(pl.col("c").fill_null("")),
        FRAME.with_columns(pl.col("a").cast(pl.Float64)),
        FRAME.rename({"a": "e"}),
        FRAME.head(2),
        pl.concat([FRAME, FRAME.head(1)]),
    ],
)
def test_a_fingerprint_changes_with_values_types_names_and_how_often_a_row_stands(
    changed: pl.DataFrame,
) -> None:
    assert fingerprint(changed) != fingerprint(FRAME)


def test_a_fingerprint_is_the_same_on_every_machine() -> None:
    assert fingerprint(FRAME) == "f015945808eba80818f1f254467c85c3e0e1bdbfab860e21e2866d6ec794d1ae"


def test_a_column_without_a_fingerprint_is_named() -> None:
    with pytest.raises(InvalidInput, match="nested"):
        fingerprint(pl.DataFrame({"nested": [[1], [2]]}))


def test_columns_have_one_fingerprint_that_changes_with_a_bit() -> None:
    columns = {"a": np.arange(4.0), "b": np.array([1, 2, 3, 4])}
    again = {"a": np.arange(4.0), "b": np.array([1, 2, 3, 4])}
    assert fingerprint_of_columns(columns) == fingerprint_of_columns(again)
    others = [
        {"a": columns["a"]},
        {**columns, "b": columns["b"][::-1]},
        {**columns, "a": columns["a"] + 1e-15},
    ]
    assert len({fingerprint_of_columns(c) for c in (columns, *others)}) == 4


def test_what_mlflow_refuses_is_told_as_such(tracker: Tracker) -> None:
    with pytest.raises(StoreUnavailable, match="can't be used"):
        tracker.point("no-such-model", {"champion": 1})
    with pytest.raises(InvalidInput, match="refuses"):
        tracker.send(replace(WHOLE, id="f" * 32, experiment="x" * 600))
