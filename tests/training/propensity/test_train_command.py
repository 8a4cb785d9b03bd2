from __future__ import annotations

import json
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from experiments.tracking import Tracker
from nba.artefacts import Artefacts
from nba.errors import InvalidInput
from nba.features.history import append
from nba.journey.scores import unseal_scores
from nba.playbook.compile import load
from nba.stores.open import open_store
from tests.training.propensity.conftest import PLAYBOOK, START
from training.commands.train import train

APP = typer.Typer()
APP.command()(train)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One for all tests: MLflow takes seconds to make it."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture
def folder(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    return tmp_path


def run(*arguments: str) -> str:
    """Standard output of `nba train …`; what it raises, it raises here."""
    result = CliRunner().invoke(APP, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_train_writes_scores_that_serve_and_logs_each_to_its_experiment(
    folder: Path, shop_history: Path
) -> None:
    (folder / "playbook.yaml").write_text(PLAYBOOK)
    output = run("--history", str(shop_history), "--as-of", "2026-05-01", "--json", "out.json")
    written = json.loads((folder / "out.json").read_text())
    models = unseal_scores(
        Artefacts(folder / "artefacts").read(written["version"]), load(Path("playbook.yaml")).schema
    )
    assert set(written["models"]) == set(models.models) == {"propensity_purchase", "churn", "next_stage"}
    assert written["version"][:12] in output
    for experiment, score in (
        ("propensity", "propensity_purchase"),
        ("churn", "churn"),
        ("next_stage", "next_stage"),
    ):
        (logged,) = Tracker().runs(experiment)
        assert logged["name"] == score
        assert logged["status"] == "FINISHED"
        assert logged["tags"]["artefact"] == written["version"]
        assert len(logged["params"]["data_fingerprint"]) == 64
        assert logged["metrics"]["log_loss"] == pytest.approx(written["models"][score]["log_loss"])
        logged_files = set(Tracker().files(logged["run_id"]))
        assert {"reliability.json", "reliability.png", "shap.json", "shap.png"} <= logged_files
        assert logged["tags"]["data"] == logged["params"]["data_fingerprint"]
        client = Tracker()._connected().MlflowClient()
        steps = [m.step for m in client.get_metric_history(logged["run_id"], "over_time.log_loss")]
        assert len(steps) > 1
        assert "over_time.json" in logged_files
        assert logged["params"]["as_of"] == "2026-05-01T00:00:00Z"
        assert logged["params"]["data_to"] <= "2026-05-01T00:00:00Z"
        stretches = client.download_artifacts(logged["run_id"], "over_time.json")
        told = json.loads(Path(stretches).read_text())
        first = dict(zip(told["columns"], told["data"][0], strict=True))
        assert logged["params"]["data_from"] < first["from"] < first["to"] < "2026-05-01T00:00:00Z"


def test_a_plain_table_is_trained_by_its_label_and_a_leak_is_named(folder: Path) -> None:
    rng = np.random.default_rng(0)
    tenure = rng.integers(1, 70, size=2_000)
    left = rng.random(2_000) < 0.6 * np.exp(-tenure / 30)
    frame = pl.DataFrame(
        {
            "customer": [f"{i}-X" for i in range(2_000)],
            "tenure": tenure,
            "left": np.where(left, "Yes", "No"),
            "closed_reason": [("moved" if gone else None) for gone in left],
        }
    )
    frame.write_csv(folder / "customers.csv")
    arguments = (
        "--table",
        "customers.csv",
        "--label",
        "left",
        "--experiment",
        "leaving",
        "--json",
        "out.json",
    )
    with pytest.raises(InvalidInput) as caught:
        run(*arguments)
    assert [error.field for error in caught.value.errors] == ["closed_reason"]
    output = run(*arguments, "--drop", "closed_reason")
    metrics = json.loads((folder / "out.json").read_text())["models"]["left"]
    assert 0.65 < metrics["roc_auc"] < 0.85
    assert "left out, being text of too many values: customer" in output
    assert {run["name"] for run in Tracker().runs("leaving")} == {"left"}


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--table", "t.csv"), "label"),
        (("--table", "gone.csv", "--label", "y"), "table"),
        (("--as-of", "yesterday"), "as-of"),
        (("--playbook", "gone.yaml"), "playbook"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_named(
    folder: Path, arguments: tuple[str, ...], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        run(*arguments)
    assert [error.field for error in caught.value.errors] == [field]


NOTHING = """
name: shop
currency: EUR
context: {device: [ios, web]}
touchpoints: [visit, purchase]
objectives: {window: 7d, outcomes: {purchase: {value: amount}}}
stages: [{name: all, when: "true"}]
channels: {email: {}}
timings: {now: {}}
actions: {news: {channels: [email], timings: [now]}}
scores: {propensity: {purchase: {event: purchase, horizon: 2d}}}
"""


def by_chance() -> pl.DataFrame:
    """Everybody buys at random moments, at one rate, which doubles for the test: nothing to learn."""
    rng = np.random.default_rng(5)
    rows: list[tuple[str, datetime]] = []
    for customer in range(150):
        for rate, first, last in ((0.15, 0, 95), (0.5, 95, 120)):
            days = np.sort(rng.uniform(first, last, rng.poisson(rate * (last - first)))).tolist()
            rows += [(f"c{customer}", START + timedelta(days=day)) for day in days]
    return pl.DataFrame(
        {
            "event_id": [f"e{i}" for i in range(len(rows))],
            "customer_id": [name for name, _ in rows],
            "type": ["purchase"] * len(rows),
            "channel": [None] * len(rows),
            "action": [None] * len(rows),
            "occurred_at": [at for _, at in rows],
            "value": [1.0] * len(rows),
            "properties": ["{}"] * len(rows),
        }
    )


def test_scores_no_better_than_the_base_rate_are_told_and_published_only_when_forced(folder: Path) -> None:
    (folder / "playbook.yaml").write_text(NOTHING)
    append(folder / "history", by_chance(), "all")
    arguments = ("--as-of", "2026-05-01", "--store", "nba.db", "--json", "out.json")
    output = run(*arguments)
    told = json.loads((folder / "out.json").read_text())
    metrics = told["models"]["propensity_purchase"]
    assert metrics["log_loss"] >= metrics["base_log_loss"]
    assert not told["published"]
    assert f"{metrics['log_loss']:.4f} is no better than the {metrics['base_log_loss']:.4f}" in output
    assert "--force" in output
    assert published(folder) == []
    run(*arguments, "--force")
    assert published(folder) == [told["version"]]


def published(folder: Path) -> list[str]:
    if not (folder / "nba.db").exists():
        return []
    with closing(open_store(f"sqlite:///{folder / 'nba.db'}")) as store:
        return [p.version for p in store.serving().values()]
