from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

from experiments.tracking import Tracker, fingerprint
from nba.errors import InvalidInput, StoreUnavailable


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


def test_what_mlflow_refuses_is_told_as_unavailable(tmp_path: Path) -> None:
    tracker = Tracker(directory=tmp_path)
    with pytest.raises(StoreUnavailable, match="can't be used"):
        tracker.promote("no-such-model", "1", {})
    with pytest.raises(StoreUnavailable, match="can't be used"):
        tracker.register("model", "no-such-run", "policy", {})
