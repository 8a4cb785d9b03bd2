"""Attribution of a store: the lift against the holdout first, and views that add up by every table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from typer.testing import CliRunner

from nba.cli import build
from nba.errors import NotEnoughData
from nba.rewards.attribution import Model
from nba.stores.memory import MemoryStore
from nba.stores.open import open_store
from nba.stores.ports import Store
from tests.experiments.report.business import (
    DAY,
    END,
    PLAYBOOK,
    SECRET,
    SILENCE,
    TEXT,
    bought,
    decided,
    filled,
)
from training.rewards.credit import Attribution, attribution, show
from training.rewards.lift import Lift, lift

VIEWS = (*get_args(Model), "markov", "shapley")


def trade(store: Store, holdout: int = 200) -> Store:
    """400 contacted customers of whom half buy for 20, and a holdout of whom a quarter does (seed 3). A
    purchase is worth half its value: contacts bring 2.50 a customer."""
    random = np.random.default_rng(3)
    decisions, touchpoints = [], []
    for i in range(400 + holdout):
        group, arm, odds = ("treatment", "bogo/email/now", 0.5) if i < 400 else ("holdout", SILENCE, 0.25)
        decisions.append(decided(f"d{i}", f"c{i}", DAY, arm=arm, group=group))
        if random.random() < odds:
            touchpoints.append(bought(f"b{i}", f"c{i}", 2 * DAY, 20.0))
    return filled(store, decisions, touchpoints)


@pytest.fixture(scope="module")
def store() -> Store:
    return trade(MemoryStore(clock="request", secret=SECRET))


def found(store: Store, model: str) -> Attribution:
    return attribution(store, PLAYBOOK, as_of=END, model=model, half_life=7 * DAY)  # type: ignore[arg-type]


@pytest.mark.parametrize("model", VIEWS)
def test_every_table_of_every_view_adds_up_to_the_total(store: Store, model: str) -> None:
    view = found(store, model)
    for lines in view.tables.values():
        assert sum(line.worth for line in lines) == view.total
        assert {line.name: line.contacts for line in lines}["organic"] == 0
        assert sum(line.contacts for line in lines) == 400


def test_all_views_have_one_total_and_one_share_that_is_organic(store: Store) -> None:
    totals = {(view.total, view.tables["channel"][-1]) for view in (found(store, model) for model in VIEWS)}
    assert len(totals) == 1


def test_the_lift_is_what_contacts_brought_beyond_the_holdout(store: Store) -> None:
    brought = lift(store, PLAYBOOK, as_of=END)
    assert isinstance(brought, Lift)
    assert (brought.customers, brought.holdout) == (400, 200)
    assert brought.low < 400 * 2.5 < brought.high
    bought_by = _earned(store)
    expected = 400 * (np.mean(bought_by["treatment"]) - np.mean(bought_by["holdout"]))
    assert brought.value == pytest.approx(expected)
    credited = found(store, "last-touch").tables["channel"][0].worth / 1e6
    assert credited > brought.high  # views credit who would have bought anyway


def _earned(store: Store) -> dict[str, list[float]]:
    buyers = {row.surrogate for rows in store.touchpoints(-1, END) for row in rows}
    told: dict[str, list[float]] = {"treatment": [], "holdout": []}
    for rows in store.decisions(-1, END):
        for row in rows:
            told[row.group].append(10.0 if row.surrogate in buyers else 0.0)
    return told


def test_without_a_holdout_the_lift_is_not_known_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    view = found(trade(MemoryStore(clock="request", secret=SECRET), holdout=0), "markov")
    assert isinstance(view.lift, NotEnoughData)
    show(view, Console(width=120))
    told = capsys.readouterr().out
    assert told.startswith("What contacts brought is not known")
    assert "markov is a secondary view" in told


def test_the_command_tells_the_lift_first_and_that_views_are_not_causal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NBA_STORE_URL", raising=False)
    (tmp_path / "playbook.yaml").write_text(TEXT)
    trade(open_store(f"sqlite:///{tmp_path / 'nba.db'}", "request")).close()
    command = ["journey", "attribution", "--model", "shapley", "--as-of", "1970-01-09", "--json", "a.json"]
    result = CliRunner().invoke(build(), command)
    assert result.exit_code == 0, result.output + repr(result.exception)
    assert result.output.startswith("Against the holdout, contacts brought")
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["causal"] == {"lift": True, "shapley": False}
    assert document["lift"]["holdout"] == 200
    assert sum(line["worth_millionths"] for line in document["by_timing"]) == document["total_millionths"]
