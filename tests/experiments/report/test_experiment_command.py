"""`nba experiment report NAME`, `plan` and `list`, on a store that the real service filled."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from experiments.commands.experiment_list import listed
from experiments.commands.experiment_plan import plan
from experiments.commands.experiment_report import report
from experiments.report.track import EXPERIMENT
from experiments.tracking import Tracker
from nba.errors import InvalidInput, NotEnoughData
from nba.model import Reports
from nba.stores.open import default_url, open_store
from tests.service.business import DAY, HOUR, NOON, OPEN, Business, answered, consents, event, request

TEXT = (
    OPEN
    + """
experiments:
  - name: bolder
    window: 2d
    before: 7d
    starts: 2025-06-14T00:00:00Z
    variants: {plain: {}, bold: {policy: no_contact}}
    metrics: {net: {}, purchases: {of: purchase, harm: 0.3}, contacts: {of: contact, better: less}}
    segments: {big: "purchase_value_hl90 > 20"}
    analysis: {tuning: 300}
  - name: later
    layer: second
    starts: 2026-01-01T00:00:00Z
    variants: {plain: {}, bold: {weight: 2}}
"""
)
CUSTOMERS = 300
EFFECT = 8.0


def filled(business: Business) -> None:
    """Seed 1: one customer every five minutes who spends 20 more or less, and `EFFECT` more in `bold`."""
    rng = np.random.default_rng(1)
    names = [f"c{i}" for i in range(CUSTOMERS)]
    taste = rng.normal(20, 4, CUSTOMERS)
    moments = NOON + 300.0 * np.arange(CUSTOMERS)
    known = [consents(name) for name in names]
    known += [
        event(name, "purchase", float(at) - DAY, value=float(value))
        for name, at, value in zip(names, moments, taste, strict=True)
    ]
    business.one(Reports(items=tuple(known)))
    asked = [request(name, float(at)) for name, at in zip(names, moments, strict=True)]
    variants = [answered(answer)["experiment"]["bolder"] for answer in business.service.handle(asked, NOON)]
    spent = taste + rng.normal(0, 2, CUSTOMERS) + EFFECT * (np.array(variants) == "bold")
    bought = [
        event(name, "purchase", float(at) + HOUR, value=float(value))
        for name, at, value in zip(names, moments, spent, strict=True)
    ]
    business.one(Reports(items=(*bought, event("c0", "visit", NOON + 6 * DAY))))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a playbook, and the store of a service that has run the experiment."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "playbook.yaml").write_text(TEXT)
    store = open_store(default_url(folder), "request")
    business = Business.of(TEXT, store)
    playbook = business.live.current.playbook
    store.keep_playbook(playbook.version, playbook.text)
    filled(business)
    store.close()
    return folder


@pytest.fixture
def folder(served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands run; MLflow's files are a test's own."""
    monkeypatch.chdir(served)
    monkeypatch.delenv("NBA_STORE_URL", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    return tmp_path


def run(command: Callable[..., None], *arguments: str) -> Result:
    app = Typer()
    app.command()(command)
    return CliRunner().invoke(app, list(arguments))


def told(result: Result, file: Path) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(file.read_text())


def test_the_report_finds_what_was_planted_and_logs_it_to_mlflow(folder: Path) -> None:
    """The effect of 8 is some 12 standard errors, so the report fails on no seed to speak of."""
    result = run(report, "bolder", "--json", str(folder / "r.json"))
    (found,) = told(result, folder / "r.json")["experiments"]
    net = found["comparisons"][0]
    assert net["absolute"]["low"] < EFFECT + 0.4 < net["absolute"]["high"]
    assert found["verdict"]["call"] == "ship"
    assert sum(v["mature"] for v in found["variants"]) == CUSTOMERS
    assert not found["sample_ratio"]["broken"]
    assert {row["segment"] for row in found["segments"]["bold"]["rows"]} == {"big", "(the rest)"}
    assert "ship: bold: net is" in result.output
    assert "as of 2025-06-21T12:00:01Z: the store is on the request clock" in result.output

    tracker = Tracker()
    (logged,) = tracker.runs(EXPERIMENT)
    assert logged["metrics"]["bold.net.value"] == net["absolute"]["value"]
    assert logged["metrics"]["bold.band.low"] == pytest.approx(net["absolute"]["low"])
    assert logged["tags"]["experiment"] == "bolder"
    assert logged["tags"]["playbook"].startswith("open@")
    assert logged["params"]["method"] == "always-valid"
    files = {"comparisons.json", "balance.json", "differences.png", "band.png", "balance.png", "report.txt"}
    assert files <= set(tracker.files(logged["run_id"]))


def test_as_of_an_earlier_moment_fewer_are_mature_and_the_rest_are_said(folder: Path) -> None:
    result = run(report, "bolder", "--as-of", "2025-06-17T18:00:00Z", "--json", str(folder / "r.json"))
    (found,) = told(result, folder / "r.json")["experiments"]
    assert sum(v["mature"] for v in found["variants"]) == 73  # of the first six hours, both ends included
    assert sum(v["exposed"] for v in found["variants"]) == CUSTOMERS
    assert "227 customers are not mature: their 2 days are not over" in result.output
    assert "each variant needs 50 mature customers" in result.output


def test_as_of_before_the_start_nothing_is_compared_or_logged(folder: Path) -> None:
    result = run(report, "bolder", "--as-of", "2025-06-01T00:00:00Z")
    assert result.exit_code == 0, result.output
    assert "not started: starts at 2025-06-14T00:00:00Z" in result.output
    assert "logged" not in result.output


def test_an_experiment_that_has_not_started_can_be_reported_beside_one_that_runs(folder: Path) -> None:
    result = run(report, "later", "bolder")
    assert result.exit_code == 0, result.output
    assert "not started: starts at 2026-01-01T00:00:00Z" in result.output
    assert "ship: bold" in result.output


@pytest.mark.parametrize("command", [report, plan])
def test_an_unknown_name_is_told_with_the_nearest_one(folder: Path, command: Callable[..., None]) -> None:
    result = run(command, "boldr", *(["--effect", "0.1"] if command is plan else []))
    assert isinstance(result.exception, InvalidInput)
    assert "did you mean 'bolder'? It has: bolder, later" in str(result.exception)


def test_since_is_refused_for_an_experiment(folder: Path) -> None:
    result = run(report, "bolder", "--since", "2025-06-15T00:00:00Z")
    assert isinstance(result.exception, InvalidInput)


def test_without_a_name_the_groups_are_compared_and_what_runs_has_a_line(folder: Path) -> None:
    result = run(report, "--json", str(folder / "r.json"))
    whole = told(result, folder / "r.json")
    assert whole["groups"]["treatment"]["customers"] == CUSTOMERS
    assert [e["name"] for e in whole["experiments"]] == ["bolder"]
    assert "experiment bolder: ship: bold: net is" in result.output
    assert "experiment later" not in result.output


def test_what_the_groups_do_not_count_is_said(folder: Path) -> None:
    result = run(report, "--as-of", "2025-06-15T13:00:00Z", "--json", str(folder / "r.json"))
    assert told(result, folder / "r.json")["not_counted"] == {"held": 0, "later": CUSTOMERS - 12}
    assert "not counted: 288 decisions from 2025-06-15T13:00:00Z on" in result.output


def test_the_list_says_how_far_each_experiment_has_come(folder: Path) -> None:
    result = run(listed, "--json", str(folder / "l.json"))
    rows = told(result, folder / "l.json")["experiments"]
    assert [(r["name"], r["state"], r["variant"]) for r in rows] == [
        ("bolder", "running", "plain"),
        ("bolder", "running", "bold"),
        ("later", "not started", "plain"),
        ("later", "not started", "bold"),
    ]
    assert sum(r["exposed"] for r in rows) == sum(r["mature"] for r in rows) == CUSTOMERS


def test_a_plan_holds_the_three_methods_side_by_side(folder: Path) -> None:
    result = run(plan, "bolder", "--effect", "0.05", "--json", str(folder / "p.json"))
    found = told(result, folder / "p.json")
    assert [m["method"] for m in found["methods"]] == ["fixed", "group-sequential", "always-valid"]
    assert found["effect"] == pytest.approx(0.05 * found["history"]["mean"])
    assert found["history"]["rho"] > 0.3
    assert all(m["customers"] == sum(m["variants"].values()) for m in found["methods"])
    assert "always-valid (declared)" in result.output
    bold = run(plan, "bolder", "--effect", "1", "--absolute", "--json", str(folder / "a.json"))
    assert told(bold, folder / "a.json")["effect"] == 1.0


def test_a_plan_without_a_past_says_what_is_missing(folder: Path) -> None:
    result = run(plan, "later", "--effect", "0.05")
    assert isinstance(result.exception, NotEnoughData)
    assert "no customer of the past has had a whole window" in str(result.exception)


def test_a_playbook_without_experiments_says_where_they_go(folder: Path) -> None:
    (folder / "bare.yaml").write_text(OPEN)
    result = run(listed, "--playbook", str(folder / "bare.yaml"))
    assert result.exit_code == 0, result.output
    assert "declares no experiments" in result.output
    unknown = run(report, "bolder", "--playbook", str(folder / "bare.yaml"))
    assert "no experiment 'bolder'. It has: none at all" in str(unknown.exception)
