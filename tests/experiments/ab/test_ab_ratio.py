"""Ratios of sums: the customer is the unit, with and without figures from before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.ab import Moments, Ratio, always_valid, at_look, difference, ratio_difference
from nba.errors import InvalidInput, NotEnoughData

RUNS = 1_000
LEAST = int(stats.binom.ppf(5e-7, RUNS, 0.95))
MOST = int(stats.binom.ppf(1 - 5e-7, RUNS, 0.95))
"""Of 1,000 runs a correct 95 % interval covers fewer or more than these about once in a million."""

COUNTS = st.lists(st.tuples(*[st.integers(0, 20)] * 4), min_size=1, max_size=30)


def visitors(rng: np.random.Generator, n: int, lift: float = 0.0) -> tuple[np.ndarray, ...]:
    """Purchases and visits of n customers, and the same from before; some buy at every visit, some never."""
    taste, zeal = rng.beta(1, 3, n), rng.gamma(2, 2, n)
    visits, visits_before = rng.poisson(zeal) + 1, rng.poisson(zeal)
    bought = rng.binomial(visits, np.minimum(taste + lift, 1))
    return bought, visits, rng.binomial(visits_before, taste), visits_before


@given(rows=COUNTS, cut=st.integers(0, 30))
def test_pooled_ratios_are_the_ratio_of_the_pool(rows: list[tuple[int, ...]], cut: int) -> None:
    columns = np.array(rows, dtype=float).T
    left, right = Ratio.of(*columns[:, :cut]), Ratio.of(*columns[:, cut:])
    assert left + right == Ratio.of(*columns)  # whole numbers, so sums are exact
    assert Ratio.of(*columns[:2, :cut]) + Ratio.of(*columns[:2, cut:]) == Ratio.of(*columns[:2])


def test_a_ratio_per_customer_is_the_plain_mean() -> None:
    rng = np.random.default_rng(1)
    y, z = rng.normal(3, 1, 300), rng.normal(3.2, 2, 200)
    ones = np.ones(300)
    for relative in (False, True):
        as_ratio = ratio_difference(Ratio.of(y, ones), Ratio.of(z, ones[:200]), relative=relative)
        plain = difference(Moments.of(y), Moments.of(z), relative=relative)
        assert as_ratio.value == pytest.approx(plain.value)
        assert [as_ratio.low, as_ratio.high] == pytest.approx([plain.low, plain.high])


def test_figures_from_before_adjust_a_ratio_per_customer_as_they_adjust_a_mean() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(10, 1, (2, 400))
    y = 0.7 * x + rng.normal(0, 1, (2, 400))
    ones = np.ones(400)
    as_ratio = ratio_difference(*(Ratio.of(y[i], ones, x[i], ones) for i in range(2)))
    plain = difference(*(Moments.of(y[i], x[i]) for i in range(2)))
    assert [as_ratio.value, as_ratio.stderr] == pytest.approx([plain.value, plain.stderr], rel=1e-6)


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("before", [False, True])
def test_95_percent_intervals_of_a_ratio_cover_its_difference(relative: bool, before: bool) -> None:
    """Seed 3, 1,000 experiments of 500 and 700 customers; false alarms one in a million.

    Visits of one customer are alike, so an interval that took visits for independent would cover far less.
    """
    rng = np.random.default_rng(3)
    truth = 0.05 / 0.25 if relative else 0.05
    covered = 0
    for _ in range(RUNS):
        control, treatment = visitors(rng, 500), _lifted(rng, 700)
        width = 4 if before else 2
        found = ratio_difference(Ratio.of(*control[:width]), Ratio.of(*treatment[:width]), relative=relative)
        covered += found.low <= truth <= found.high
    assert LEAST <= covered <= MOST


def test_figures_from_before_narrow_the_interval_of_a_ratio() -> None:
    rng = np.random.default_rng(4)
    control, treatment = visitors(rng, 5_000), visitors(rng, 5_000)
    plain = ratio_difference(Ratio.of(*control[:2]), Ratio.of(*treatment[:2]))
    adjusted = ratio_difference(Ratio.of(*control), Ratio.of(*treatment))
    assert adjusted.stderr < 0.9 * plain.stderr


def test_a_ratio_may_be_looked_at_always_and_as_planned() -> None:
    rng = np.random.default_rng(5)
    arms = Ratio.of(*visitors(rng, 2_000)), Ratio.of(*_lifted(rng, 2_000))
    once, always, planned = ratio_difference(*arms), always_valid(*arms), at_look(*arms, look=3)
    assert once.value == always.value == planned.difference.value
    assert once.p_value < planned.difference.p_value
    assert once.high - once.low < always.high - always.low


@pytest.mark.parametrize("relative", [False, True])
def test_a_constant_ratio_has_no_spread(relative: bool) -> None:
    z = np.random.default_rng(6).integers(1, 9, 50).astype(float)
    with pytest.raises(NotEnoughData, match="differs"):
        ratio_difference(Ratio.of(0.3 * z, z), Ratio.of(0.3 * z, z), relative=relative)


def test_a_denominator_of_nothing_is_refused_with_figures() -> None:
    some, none = Ratio.of([1, 0, 2], [2, 1, 2]), Ratio.of([1, 0, 2], [0, 0, 0])
    with pytest.raises(NotEnoughData, match="denominators") as refused:
        ratio_difference(some, none)
    assert refused.value.figures == {"control n": 3, "treatment n": 3}
    with pytest.raises(NotEnoughData, match="two customers"):
        ratio_difference(some, Ratio.of([1], [1]))


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("before", lambda: Ratio.of([1.0], [1.0], before=[1.0])),
        ("denominator", lambda: Ratio.of([1.0, 2.0], [1.0])),
        ("numerator", lambda: Ratio.of([float("nan")], [1.0])),
        ("totals", lambda: Ratio(n=1, totals=(1.0,), products=((1.0,),))),
        ("products", lambda: Ratio(n=1, totals=(1.0, 1.0), products=((1.0,),))),
        ("products", lambda: Ratio(n=2, totals=(4.0, 1.0), products=((1.0, 1.0), (1.0, 1.0)))),
        ("products", lambda: Ratio(n=2, totals=(1.0, 1.0), products=((1.0, 1.0), (0.0, 1.0)))),
        ("n", lambda: Ratio(n=-1, totals=(0.0, 0.0), products=((0.0, 0.0), (0.0, 0.0)))),
        ("before", lambda: Ratio.of([1], [1]) + Ratio.of([1], [1], [1], [1])),
        ("treatment", lambda: always_valid(Moments.of([1.0, 2.0]), Ratio.of([1, 2], [1, 1]))),
    ],
)
def test_a_wrong_ratio_is_named(field: str, call: Callable[[], Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        call()
    assert refused.value.errors[0].field == field


def _lifted(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    """The same customers as `visitors`, whose share of visits with a purchase rises from 0.25 to 0.30."""
    bought, visits, bought_before, visits_before = visitors(rng, n)
    more = rng.binomial(visits - bought, 0.05 / 0.75)
    return bought + more, visits, bought_before, visits_before
