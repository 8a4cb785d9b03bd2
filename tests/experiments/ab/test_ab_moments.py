"""Arms as sums: they add up, and what can't be sums of anything is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from experiments.ab import Moments
from nba.errors import InvalidInput


def test_pooled_sums_are_the_sums_of_the_pool() -> None:
    rng = np.random.default_rng(1)
    y, x = rng.integers(0, 9, 50), rng.integers(0, 9, 50)  # whole numbers, so sums are exact
    for cut in (0, 1, 20, 50):
        assert Moments.of(y[:cut], x[:cut]) + Moments.of(y[cut:], x[cut:]) == Moments.of(y, x)
        assert Moments.of(y[:cut]) + Moments.of(y[cut:]) == Moments.of(y)


def test_mean_variance_and_covariance_are_the_usual_ones() -> None:
    rng = np.random.default_rng(2)
    y, x = rng.normal(5, 2, 40), rng.normal(3, 1, 40)
    arm = Moments.of(y, x)
    covariance = np.cov(x, y)
    assert (arm.mean, arm.variance) == pytest.approx((y.mean(), y.var(ddof=1)))
    assert (arm.before_mean, arm.before_variance) == pytest.approx((x.mean(), covariance[0, 0]))
    assert arm.covariance == pytest.approx(covariance[0, 1])


def test_zeros_and_ones_have_the_variance_of_a_proportion() -> None:
    assert Moments.of([1, 0, 0, 1, 0]).variance == pytest.approx(0.4 * 0.6)


@pytest.mark.parametrize(
    ("field", "sums"),
    [
        ("n", {"n": -1, "total": 0.0, "squares": 0.0}),
        ("total", {"n": 2, "total": float("nan"), "squares": 1.0}),
        ("squares", {"n": 2, "total": 4.0, "squares": 7.0}),
        ("squares", {"n": 0, "total": 4.0, "squares": 7.0}),
        ("before", {"n": 2, "total": 4.0, "squares": 9.0, "before": 1.0}),
        (
            "before_squares",
            {"n": 2, "total": 4.0, "squares": 9.0, "before": 4.0, "before_squares": 1.0, "cross": 1.0},
        ),
    ],
)
def test_sums_that_nothing_has_are_refused(field: str, sums: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        Moments(**sums)
    assert refused.value.errors[0].field == field


def test_values_and_figures_from_before_must_match() -> None:
    with pytest.raises(InvalidInput, match="before"):
        Moments.of([1.0, 2.0], before=[1.0])
    with pytest.raises(InvalidInput, match="values"):
        Moments.of([[1.0], [2.0]])
    with pytest.raises(InvalidInput, match="finite"):
        Moments.of([1.0, float("inf")])
    with pytest.raises(InvalidInput, match="before"):
        Moments.of([1.0, 2.0]) + Moments.of([1.0, 2.0], before=[1.0, 1.0])
