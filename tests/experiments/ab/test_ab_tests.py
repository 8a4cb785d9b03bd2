"""The tests of an experiment: false alarms, coverage, CUPED, refusals. Seeds, sizes and rates are stated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from experiments.ab import Difference, Moments, always_valid, difference, group_sequential, srm
from nba.errors import InvalidInput, NotEnoughData

RUNS = 1_000
LEAST = int(stats.binom.ppf(5e-7, RUNS, 0.95))
MOST = int(stats.binom.ppf(1 - 5e-7, RUNS, 0.95))
"""Of 1,000 runs a correct 95 % interval covers fewer or more than these about once in a million."""


def arms(seed: int = 1, n: int = 200, effect: float = 0.3) -> tuple[Moments, Moments]:
    rng = np.random.default_rng(seed)
    return Moments.of(rng.gamma(2, 1, n)), Moments.of(rng.gamma(2, 1, n + 50) + effect)


def test_the_fixed_test_is_welchs() -> None:
    rng = np.random.default_rng(4)
    y, z = rng.normal(0, 1, 12), rng.normal(0.5, 3, 9)
    for side in ("two-sided", "greater", "less"):
        theirs = stats.ttest_ind(z, y, equal_var=False, alternative=side)
        found = difference(Moments.of(y), Moments.of(z), level=0.9, alternative=side)
        ends = theirs.confidence_interval(0.9)
        assert [found.low, found.high, found.p_value] == pytest.approx([ends.low, ends.high, theirs.pvalue])


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("run", [difference, always_valid])
def test_the_p_value_is_below_5_percent_where_the_interval_leaves_out_0(
    run: Callable[..., Difference], relative: bool
) -> None:
    for seed in range(40):
        control, treatment = arms(seed, effect=0.05 * (seed % 10))
        found = run(control, treatment, relative=relative)
        assert (found.p_value < 0.05) == (found.low > 0 or found.high < 0)


@pytest.mark.parametrize("relative", [False, True])
def test_95_percent_intervals_cover_the_effect(relative: bool) -> None:
    """Seed 5, 1,000 experiments of 400 and 600 customers, false alarms one in a million."""
    rng = np.random.default_rng(5)
    truth = 0.2 / 2 if relative else 0.2
    covered = 0
    for _ in range(RUNS):
        control, treatment = Moments.of(rng.gamma(2, 1, 400)), Moments.of(rng.gamma(2, 1, 600) + 0.2)
        found = difference(control, treatment, relative=relative)
        covered += found.low <= truth <= found.high
    assert LEAST <= covered <= MOST


def test_figures_from_before_narrow_the_interval_and_it_still_covers() -> None:
    """Seed 6, 1,000 experiments of 300 a side, correlation 0.8: width falls to 60 %; one in a million."""
    rng = np.random.default_rng(6)
    covered, width, plain = 0, 0.0, 0.0
    for _ in range(RUNS):
        x = rng.normal(10, 1, (2, 300))
        y = 0.8 * x + rng.normal(0, 0.6, (2, 300)) + np.array([[0.0], [0.1]])
        found = difference(Moments.of(y[0], x[0]), Moments.of(y[1], x[1]))
        covered += found.low <= 0.1 <= found.high
        width += found.stderr
        plain += difference(Moments.of(y[0]), Moments.of(y[1])).stderr
    assert LEAST <= covered <= MOST
    assert width / plain == pytest.approx(0.6, abs=0.02)


def test_figures_from_before_leave_a_relative_effect_relative_to_controls_level() -> None:
    """Adjusted values keep their level: no θx̄ is taken off the mean that the effect is divided by."""
    rng = np.random.default_rng(7)
    x = rng.normal(50, 1, (2, 50_000))
    y = x - 40 + np.array([[0.0], [1.0]])
    control, treatment = (Moments.of(y[i] + rng.normal(0, 1, 50_000), x[i]) for i in range(2))
    assert difference(control, treatment, relative=True).value == pytest.approx(0.1, abs=0.003)


def test_twenty_looks_at_an_always_valid_interval_raise_no_more_false_alarms_than_allowed() -> None:
    """Seed 8, 1,000 experiments without effect, 20 looks at 100 to 2,000 customers a side.

    A test at 5 % raises more than 85 alarms about once in a million; a plain t test raises some 240.
    """
    rng = np.random.default_rng(8)
    alarms = plain = 0
    for _ in range(RUNS):
        y = rng.gamma(2, 1, (2, 20, 100))
        control = treatment = Moments(n=0, total=0.0, squares=0.0)
        always = naive = False
        for look in range(20):
            control, treatment = control + Moments.of(y[0, look]), treatment + Moments.of(y[1, look])
            always |= always_valid(control, treatment, tuning=2000).p_value < 0.05
            naive |= difference(control, treatment).p_value < 0.05
        alarms, plain = alarms + always, plain + naive
    assert alarms <= 85 < 180 < plain


@pytest.mark.parametrize(("looks", "exponent"), [(1, 1), (3, 1), (5, 2), (20, 3), (60, 2)])
def test_planned_looks_spend_exactly_alpha(looks: int, exponent: float) -> None:
    """Seed 9, 200,000 Brownian paths; wrong about once in a million (5 standard errors)."""
    bounds = group_sequential(looks, alpha=0.05, exponent=exponent)
    rng = np.random.default_rng(9)
    at, crossed = np.zeros(200_000), np.zeros(200_000, dtype=bool)
    for look in range(looks):
        at += rng.standard_normal(200_000)
        crossed |= np.abs(at) >= bounds[look] * np.sqrt(look + 1)
    assert crossed.mean() == pytest.approx(0.05, abs=5 * math.sqrt(0.05 * 0.95 / 200_000))


def test_one_look_is_the_plain_bound_and_early_looks_are_stricter() -> None:
    assert group_sequential(1) == pytest.approx([1.959963985])
    assert (np.diff(group_sequential(10)) < 0).all()
    assert group_sequential(5, exponent=3)[0] > group_sequential(5, exponent=1)[0]


def test_srm_is_pearsons_test() -> None:
    observed, weights = [5100, 4800, 10_050], [1, 1, 2]
    expected = np.sum(observed) * np.array([0.25, 0.25, 0.5])
    assert srm(observed, weights) == pytest.approx(stats.chisquare(observed, expected).pvalue)
    assert srm([500, 500], [0.5, 0.5]) == 1.0
    assert srm([1000, 1300], [1, 1]) < 1e-9


@pytest.mark.parametrize("run", [difference, always_valid])
def test_too_little_data_is_refused_with_figures(run: Callable[..., Difference]) -> None:
    enough = Moments.of([1.0, 2.0, 4.0])
    with pytest.raises(NotEnoughData) as refused:
        run(enough, Moments.of([1.0]))
    assert refused.value.figures == {"control n": 3, "treatment n": 1}
    with pytest.raises(NotEnoughData, match="differs"):
        run(Moments.of([0, 0, 0]), Moments.of([0, 0, 0]))
    with pytest.raises(NotEnoughData, match="relative"):
        run(Moments.of([-1.0, 1.0]), enough, relative=True)


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("level", lambda: difference(*arms(), level=0.0)),
        ("level", lambda: always_valid(*arms(), level=1.0)),
        ("alternative", lambda: difference(*arms(), alternative="better")),  # type: ignore[arg-type]
        ("tuning", lambda: always_valid(*arms(), tuning=0)),
        ("before", lambda: difference(arms()[0], Moments.of([1.0, 2.0, 4.0], [1.0, 2.0, 2.0]))),
        ("looks", lambda: group_sequential(0)),
        ("alpha", lambda: group_sequential(alpha=1.0)),
        ("exponent", lambda: group_sequential(exponent=0)),
        ("exponent", lambda: group_sequential(100, exponent=20)),
        ("observed", lambda: srm([10], [1])),
        ("observed", lambda: srm([-1, 10], [1, 1])),
        ("weights", lambda: srm([10, 10], [1, 0])),
    ],
)
def test_a_wrong_argument_is_named(field: str, call: Callable[[], Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        call()
    assert refused.value.errors[0].field == field


def test_srm_refuses_a_split_too_small_to_judge() -> None:
    with pytest.raises(NotEnoughData) as refused:
        srm([3, 2], [1, 1])
    assert refused.value.figures["needed"] == 5
