"""A contest is the same however many processes play it, and its table says what was played."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner

from experiments.bakeoff.columns import Rounds
from experiments.bakeoff.contest import TUNING, Result, contest
from experiments.bakeoff.entrants import ENTRANTS, OURS
from experiments.bakeoff.game import Game, play
from experiments.bakeoff.table import standing
from experiments.commands.benchmark import bakeoff
from nba.errors import InvalidInput, NotEnoughData
from tests.experiments.bakeoff.labelled import crossed, two_sided

NAMES = (OURS, "linucb", "ridge + igw")


@pytest.fixture(scope="module")
def result() -> Result:
    return contest([two_sided(120), crossed(150)], NAMES, shuffles=3, rows=100, workers=2)


def played(errors: dict[tuple[str, str], list[float]]) -> Result:
    """A result of given errors, with a setting each."""
    games = {
        pair: tuple(Game(error=e, seconds=1e-4, off=0.0, least=0.1, z=1.0) for e in values)
        for pair, values in errors.items()
    }
    tasks = {task for task, _ in errors}
    return Result(games=games, chosen=dict.fromkeys(games, 0), rows=dict.fromkeys(tasks, 10))


def test_the_number_of_processes_changes_no_error(result: Result) -> None:
    alone = contest([two_sided(120), crossed(150)], NAMES, shuffles=3, rows=100, workers=1)
    for pair, games in result.games.items():
        assert [g.error for g in games] == [g.error for g in alone.games[pair]]
    assert result.rows == {"sides": 100, "crossed": 100}


def test_a_rival_plays_the_setting_that_did_best_on_the_tuning_shuffles(result: Result) -> None:
    entrant = ENTRANTS["linucb"]
    errors = []
    for i in range(len(entrant.grid)):
        games = []
        for seed in range(TUNING):
            rounds = Rounds(two_sided(120).shuffled(seed, 100))
            games.append(play(entrant.make(rounds, i, seed), rounds, seed).error)
        errors.append(np.mean(games))
    assert len(set(errors)) > 1
    assert result.chosen["sides", "linucb"] == int(np.argmin(errors))
    assert result.errors("sides", "linucb")[:TUNING].mean() == pytest.approx(min(errors))


def test_ours_has_one_setting_for_all_sets() -> None:
    assert len(ENTRANTS[OURS].grid) == 1


def test_ranks_are_of_the_mean_error_and_ties_share_them() -> None:
    found = standing(
        played(
            {
                ("a", OURS): [0.1, 0.1],
                ("a", "linucb"): [0.1, 0.1],
                ("a", "lints"): [0.1, 0.5],
                ("b", OURS): [0.2, 0.2],
                ("b", "linucb"): [0.3, 0.3],
                ("b", "lints"): [0.0, 0.2],
            }
        )
    )
    assert found.ranks == {OURS: 1.75, "linucb": 2.25, "lints": 2.0}
    versus = {v.rival: v for v in found.versus}
    assert versus["linucb"].rank == pytest.approx(-0.5)
    assert versus["linucb"].wins == 1
    assert versus["linucb"].low <= -0.5 <= versus["linucb"].high
    assert found.cells["a", "lints"].error == pytest.approx(0.3)
    assert found.cells["a", "lints"].stderr == pytest.approx(0.2)
    assert found.exactness.freedom == 4


def test_who_is_out_of_competition_moves_no_rank() -> None:
    errors = {("a", OURS): [0.2], ("a", "linucb"): [0.3], ("a", "ridge + igw"): [0.4]}
    found = standing(played({**errors, ("a", "linucb + products"): [0.1], ("a", "vw squarecb, raw"): [0.5]}))
    assert found.ranks == {OURS: 1.0, "linucb": 2.0, "ridge + igw": 3.0}
    versus = {v.rival: (v.ours, v.theirs, v.wins) for v in found.versus}
    assert versus["linucb"] == (1.0, 2.0, 1)
    assert versus["linucb + products"] == (2.0, 1.0, 0)
    assert versus["vw squarecb, raw"] == (1.0, 4.0, 1)


def test_one_shuffle_has_no_standard_error_and_one_set_no_friedman_test() -> None:
    found = standing(played({("a", OURS): [0.2], ("a", "linucb"): [0.3], ("a", "lints"): [0.4]}))
    with pytest.raises(NotEnoughData):
        _ = found.cells["a", OURS].stderr
    assert isinstance(found.friedman, NotEnoughData)


def test_nemenyis_critical_difference_is_that_of_the_paper() -> None:
    """Demšar (2006), §3.2.2: four classifiers on 14 sets differ by 1.25 at 5 %."""
    errors = {
        (f"set{i}", name): [0.1 * i] for i in range(14) for name in (OURS, "linucb", "lints", "vw cover")
    }
    found = standing(played(errors))
    assert found.critical == pytest.approx(1.25, abs=0.01)
    assert found.friedman == 1.0


def test_the_command_prints_the_table_and_writes_it_as_json(tmp_path: Path, data_dir: Path) -> None:
    app = Typer()
    app.command()(bakeoff)
    out = tmp_path / "out.json"
    arguments = ["--sets", "ecoli", "--shuffles", "1", "--rows", "30", "--json", str(out)]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert "mean rank" in done.output
    written = json.loads(out.read_text())
    assert written["sets"] == {"ecoli": {"rows": 30}}
    assert set(written["mean_rank"]) == {n for n, e in ENTRANTS.items() if e.ranked}
    assert np.mean(list(written["mean_rank"].values())) == pytest.approx(4.0)


def test_a_set_that_is_not_there_is_named(data_dir: Path) -> None:
    app = Typer()
    app.command()(bakeoff)
    with pytest.raises(InvalidInput, match="no set 'letters'"):
        CliRunner().invoke(app, ["--sets", "letters"], catch_exceptions=False)
