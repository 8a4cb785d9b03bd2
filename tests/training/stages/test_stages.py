"""Stages in figures: sizes from the history, changes and stays as they were noticed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from nba.errors import NotEnoughData
from nba.features import history
from nba.playbook.compile import parse
from nba.stores.open import open_store
from training.commands.journey_stages import stages as command
from training.stages.dwell import quantiles
from training.stages.report import stages

START = datetime(2026, 1, 1, tzinfo=UTC)
PLAYBOOK = """
name: shop
currency: EUR
touchpoints: [visit, purchase]
objectives: {window: 7d, outcomes: {purchase: {value: amount}}}
stages:
  - {name: buyer, when: "days_since_purchase < 10"}
  - {name: visitor, when: "days_since_visit < 100"}
channels: {email: {}}
timings: {now: {}}
actions: {news: {channels: [email], timings: [now]}}
"""


def at(day: float) -> datetime:
    return START + timedelta(days=day)


def rows(*told: tuple[str, str, float, dict[str, object] | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "event_id": f"stage.{i}" if type == "stage_changed" else f"e{i}",
                "customer_id": customer,
                "type": type,
                "channel": None,
                "action": None,
                "occurred_at": at(day),
                "value": 0.0,
                "properties": None if properties is None else json.dumps(properties),
            }
            for i, (customer, type, day, properties) in enumerate(told)
        ],
        schema_overrides=dict(history.COLUMNS),
    )


def change(
    customer: str, day: float, before: str, after: str, since: float
) -> tuple[str, str, float, dict[str, object]]:
    told: dict[str, object] = {"from": before, "to": after, "since": at(since).timestamp()}
    return customer, "stage_changed", day, told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    frame = rows(
        ("a", "visit", 0, None),
        ("a", "purchase", 2, None),
        change("a", 2, "visitor", "buyer", 0),
        change("a", 12, "buyer", "visitor", 2),
        ("b", "visit", 0, None),
        ("b", "purchase", 15, None),
        change("b", 15, "visitor", "buyer", 1),
        ("b", "stage_changed", 16, {"from": "x"}),
        ("c", "visit", 3, None),
    )
    history.append(tmp_path / "history", frame, "all")
    return tmp_path / "history"


def test_sizes_changes_and_stays_are_those_that_are_there(folder: Path) -> None:
    found = stages(parse(PLAYBOOK), folder, at(20).timestamp())
    assert [(s.stage, s.customers, s.over, s.going_on) for s in found.stages] == [
        ("buyer", 1, 1, 1),
        ("visitor", 2, 2, 1),
    ]
    assert [(t.before, t.after, t.count) for t in found.transitions] == [
        ("visitor", "buyer", 2),
        ("buyer", "visitor", 1),
    ]
    assert found.transitions[1].median_seconds == 10 * 86_400
    assert found.stages[1].dwell_seconds[0] == 2 * 86_400
    assert found.unknown == 0


def test_what_comes_after_as_of_is_not_seen_and_who_is_in_no_stage_is_counted(folder: Path) -> None:
    early = stages(parse(PLAYBOOK), folder, at(1).timestamp())
    assert early.transitions == ()
    assert early.customers == 2
    late = stages(parse(PLAYBOOK), folder, at(200).timestamp())
    assert late.unknown == 3
    with pytest.raises(NotEnoughData):
        stages(parse(PLAYBOOK), folder, at(-1).timestamp())


def test_the_command_prints_tables_and_writes_json(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("playbook.yaml").write_text(PLAYBOOK)
    open_store("sqlite:///nba.db").close()
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, ["--as-of", "2026-01-21", "--json", "out.json"], catch_exceptions=False)
    assert "visitor → buyer" in result.output
    written = json.loads(Path("out.json").read_text())
    assert written["transitions"][0]["from"] == "visitor"
    assert [s["customers"] for s in written["stages"]] == [1, 2]


def test_stays_that_go_on_make_quantiles_longer_as_by_hand() -> None:
    """Ends at 1, 2 and 4 with one stay cut off at 3: S = 3/4, 1/2, then 0."""
    lengths, over = np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, True, False, True])
    assert quantiles(lengths, over) == [1.0, 2.0, 4.0]
    assert quantiles(lengths, np.zeros(4, dtype=bool)) == [None, None, None]
    assert quantiles(np.empty(0), np.empty(0, dtype=bool)) == [None, None, None]


@given(st.lists(st.floats(0.1, 1e6), min_size=1, max_size=40))
def test_where_all_stays_are_over_the_quantiles_are_those_of_the_sample(lengths: list[float]) -> None:
    found = quantiles(np.array(lengths), np.ones(len(lengths), dtype=bool))
    wanted = [np.quantile(lengths, q, method="inverted_cdf") for q in (0.25, 0.5, 0.75)]
    np.testing.assert_allclose(np.array(found, dtype=float), wanted)
