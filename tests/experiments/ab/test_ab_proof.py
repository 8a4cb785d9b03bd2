"""The proofs of `nba benchmark sequential`, in small: what peeking does, and what holds in spite of it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from experiments.ab import Moments, always_valid
from experiments.abproof.alike import METRICS, metric_alarms, split_alarms
from experiments.abproof.asos import asos
from experiments.abproof.cookies import cookies
from experiments.abproof.cuped import shrinkage
from experiments.abproof.peeking import Design, bounds_of, statistics, table


def most(rate: float, runs: int) -> float:
    """The share above which a true rate of `rate` gets about once in a million."""
    return float(stats.binom.ppf(1 - 1e-6, runs, rate)) / runs


def test_type_one_error_and_power_are_as_theory_says() -> None:
    """Seed 1, 20,000 runs without effect and as many with it; wrong about once in 100,000 (5 errors each).

    0.002 is granted to the discreteness of shares. The peers' figures: group-sequential 0.050 and 0.600,
    always valid 0.017 and 0.315.
    """
    rows = {row.method: row for row in table(Design(), runs=20_000, seed=1)}
    for row in rows.values():
        for rate in (row.false_alarms, row.power):
            assert rate.simulated == pytest.approx(rate.theory, abs=5 * rate.stderr + 0.002)
    assert rows["fixed, peeked at"].false_alarms.theory == pytest.approx(0.248, abs=0.001)
    assert rows["group-sequential"].false_alarms.theory == pytest.approx(0.05, abs=1e-6)
    assert rows["group-sequential"].power.theory == pytest.approx(0.6, abs=0.01)
    assert rows["always valid"].false_alarms.theory < 0.02
    assert rows["always valid"].power.theory == pytest.approx(0.315, abs=0.02)


def test_the_simulation_s_statistics_and_bounds_are_those_of_the_analysis() -> None:
    design = Design(per_arm=1_000, looks=4, base=0.2, tuning=700)
    z = statistics(design, 0.3, 50, np.random.default_rng(2))
    hits = np.random.default_rng(2)
    control = hits.binomial(250, 0.2, (50, 4)).cumsum(axis=1)
    treatment = hits.binomial(250, 0.26, (50, 4)).cumsum(axis=1)
    for run in range(50):
        for look in range(4):
            n = 250 * (look + 1)
            arms = (Moments(n=n, total=s, squares=s) for s in (control[run, look], treatment[run, look]))
            found = always_valid(*arms, tuning=700)
            assert z[run, look] == pytest.approx(found.value / found.stderr)
            assert (found.p_value < 0.05) == (abs(z[run, look]) > bounds_of(design)["always valid"][look])


@pytest.mark.parametrize("metric", METRICS)
def test_looking_after_every_customer_raises_no_more_alarms_than_stated(metric: str) -> None:
    """Seed 3, 400 runs of 3,000 an arm; a true 5 % fails each assertion about once in a million.

    Always valid means after each pair of customers, group-sequential at five planned looks. The plain test,
    peeked at, raises 15 % (rare spend) to 45 %: more than 10 % of 400 with the same certainty.
    """
    found = metric_alarms(metric, runs=400, per_arm=3_000, seed=3)
    assert found.always_valid <= most(0.05, 400)
    assert found.group_sequential <= most(0.05, 400)
    assert found.peeked > 0.1


@pytest.mark.parametrize("weights", [(1.0, 1.0), (7.0, 2.0, 1.0)])
def test_a_sound_split_watched_from_the_first_customer_is_seldom_called_broken(
    weights: tuple[float, ...],
) -> None:
    """Seed 4, 400 runs of 5,000 customers one by one; a true 5 % fails about once in a million."""
    found = split_alarms(weights, runs=400, customers=5_000, seed=4)
    assert found.sequential <= most(0.05, 400)
    assert found.sequential_001 <= most(0.001, 400)
    assert found.pearson_peeked > 0.2


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_cuped_shrinks_the_interval_by_the_root_of_what_it_leaves_unexplained(correlation: float) -> None:
    """Seed 5, 400 experiments of 1,000 an arm; coverage of 95 % fails about once in a million."""
    found = shrinkage(correlation, runs=400, per_arm=1_000, seed=5)
    assert found.width == pytest.approx(found.theory, abs=0.005)
    assert stats.binom.ppf(5e-7, 400, 0.95) / 400 <= found.covered <= most(0.95, 400)


def test_cookie_cats_is_warned_of_at_the_end_and_too_mild_for_a_test_that_may_be_asked_always(
    data_dir: Path,
) -> None:
    found = cookies(data_dir)
    assert found.warns
    assert found.at_end == pytest.approx(0.0086, abs=1e-4)
    assert 0.1 < found.least_sequential <= found.sequential < 0.4
    assert found.best_possible == pytest.approx(0.032, abs=1e-3)
    assert found.metrics["retention_7"][0].p_value == pytest.approx(0.0016, abs=1e-4)


def test_the_asos_experiments_are_analysed_and_what_is_missing_is_counted(data_dir: Path) -> None:
    found = asos(data_dir)
    claims = {row.way: row for row in found.claims}
    assert (found.series, found.left_out, found.snapshots) == (201, 3, 12_821)
    assert found.unusable >= 408  # rows without variance, and a few without customers
    assert (found.variants, found.broken) == (51, 7)
    assert found.sound < found.series
    once, peeked = claims["fixed, looked at once"], claims["fixed, peeked at"]
    assert once.not_at_end == 0
    assert peeked.claimed > 2 * once.claimed
    assert peeked.not_at_end > peeked.claimed / 2
    for way, row in claims.items():
        if not way.startswith("fixed"):
            assert row.claimed < peeked.claimed
            assert row.not_at_end < peeked.not_at_end / 2
    assert json.dumps(asdict(found))


def test_the_command_prints_the_tables_and_says_what_data_are_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import typer

    from experiments.commands.ab import sequential

    monkeypatch.setenv("NBA_DATA_DIR", str(tmp_path))
    app = typer.Typer()
    app.command()(sequential)
    ran = CliRunner().invoke(app, ["--runs", "10", "--json", str(tmp_path / "found.json")])
    assert ran.exit_code == 0, ran.output
    assert "group-sequential" in ran.output
    assert "ASOS: not measured" in ran.output
    found = json.loads((tmp_path / "found.json").read_text())
    assert {row["method"] for row in found["methods"]} >= {"fixed, peeked at", "always valid"}
    assert found["asos"]["missing"].startswith(str(tmp_path))
