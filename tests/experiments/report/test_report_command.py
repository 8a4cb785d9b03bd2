"""`nba experiment report`: on a store in a file, with MLflow there and with MLflow away."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from experiments.commands.experiment_report import report
from experiments.report.track import EXPERIMENT
from experiments.tracking import Tracker
from nba.errors import InvalidInput, StoreUnavailable
from nba.stores.open import default_url, open_store
from tests.experiments.report.business import PLAYBOOK, business

ARGUMENTS = ["--as-of", "1970-01-31T00:00:00Z", "--json", "report.json"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a playbook and a store; the command runs in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NBA_STORE_URL", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "playbook.yaml").write_text(PLAYBOOK.text)
    store = open_store(default_url(tmp_path))
    business(store, customers=300, effect=3.0, seed=5)
    store.close()
    return tmp_path


def run(*arguments: str) -> Result:
    app = Typer()
    app.command()(report)
    return CliRunner().invoke(app, list(arguments))


def test_the_report_is_printed_written_and_logged_with_table_and_plot(folder: Path) -> None:
    result = run(*ARGUMENTS)
    assert result.exit_code == 0, result.output
    assert "EUR more per customer than holdout" in result.output
    told = json.loads((folder / "report.json").read_text())
    first = told["comparisons"][0]
    assert first["absolute"]["low"] < 3.0 < first["absolute"]["high"]
    assert sum(g["customers"] for g in told["groups"].values()) == 300

    tracker = Tracker(directory=folder)
    logged = tracker.runs(EXPERIMENT)
    assert len(logged) == 1
    assert logged[0]["metrics"]["treatment_minus_holdout.value"] == first["absolute"]["value"]
    assert logged[0]["params"]["as_of"] == "1970-01-31T00:00:00Z"
    files = {"groups.json", "comparisons.json", "report.json", "report.txt", "differences.png"}
    assert files <= set(tracker.files(logged[0]["run_id"]))


def test_with_mlflow_away_the_report_is_printed_and_written_and_the_failure_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as nobody:  # holds a port, and listens to none
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        result = run(*ARGUMENTS)
    assert isinstance(result.exception, StoreUnavailable)
    assert "EUR more per customer than holdout" in result.output
    assert (folder / "report.json").exists()


def test_a_time_that_is_none_is_named(folder: Path) -> None:
    result = run("--since", "last week")
    assert isinstance(result.exception, InvalidInput)
    assert "since: is an ISO 8601 time" in str(result.exception)
