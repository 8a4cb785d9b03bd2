"""Many at once: metrics, variants, segments; and whether the arms were alike before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.ab import (
    Difference,
    Moments,
    Ratio,
    adjusted,
    always_valid,
    at_look,
    balance,
    by_segment,
    difference,
    intervals_for,
    level_for,
)
from nba.errors import InvalidInput, NotEnoughData

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def arm(rng: np.random.Generator, n: int, mean: float = 0.0) -> Moments:
    return Moments.of(rng.normal(mean, 1, n))


@given(p=P_VALUES)
def test_bh_is_scipys(p: list[float]) -> None:
    assert adjusted(p, "bh") == pytest.approx(stats.false_discovery_control(p))


@given(p=P_VALUES, alpha=st.floats(0.001, 0.5))
def test_holm_rejects_by_the_step_down_rule(p: list[float], alpha: float) -> None:
    left, rejected = sorted(p), 0
    while left and left[0] * len(left) <= alpha:
        left.pop(0)
        rejected += 1
    assert (adjusted(p, "holm") <= alpha).sum() == rejected


@given(p=P_VALUES)
def test_corrections_keep_the_order_and_holm_is_the_strictest(p: list[float]) -> None:
    holm, bh, none = (adjusted(p, method) for method in ("holm", "bh", "none"))
    order = np.argsort(p, kind="stable")
    assert (np.diff(holm[order]) >= 0).all()
    assert (holm >= bh - 1e-12).all()
    assert (bh >= none - 1e-12).all()
    assert holm.max() <= 1


def test_holm_keeps_the_chance_of_any_false_alarm() -> None:
    """Seed 1, 20,000 experiments with five metrics, one of them with an effect; one in a million above."""
    rng = np.random.default_rng(1)
    p = 2 * stats.norm.sf(np.abs(rng.standard_normal((20_000, 5)) + np.array([5, 0, 0, 0, 0])))
    false = np.mean([(adjusted(row)[1:] < 0.05).any() for row in p])
    assert false <= 0.05 + 5 * (0.05 * 0.95 / 20_000) ** 0.5
    assert (p[:, 1:] < 0.05).any(axis=1).mean() > 0.15


@pytest.mark.parametrize("make", ["fixed", "always", "planned", "ratio", "one-sided"])
def test_each_test_widens_its_own_interval(make: str) -> None:
    """At another level the interval is that of the same test, and it leaves out 0 where p is below α."""
    rng = np.random.default_rng(2)
    arms = arm(rng, 50), arm(rng, 60, 0.5)
    ratios = (Ratio.of(rng.gamma(2, 1, 50), rng.gamma(2, 1, 50)) for _ in range(2))
    found = {
        "fixed": lambda: difference(*arms),
        "always": lambda: always_valid(*arms, tuning=100),
        "planned": lambda: at_look(*arms, look=2).difference,
        "ratio": lambda: always_valid(*ratios),
        "one-sided": lambda: difference(*arms, alternative="greater"),
    }[make]()
    for level in (0.5, 0.9, 0.99, 0.9999):
        at = found.at(level)
        assert (at.value, at.p_value) == pytest.approx((found.value, found.p_value), rel=1e-6)
        assert (at.low > 0 or at.high < 0) == (at.p_value < 1 - level)
    assert found.at(0.99).low < found.low
    assert [found.at(0.95).low, found.at(0.95).high] == pytest.approx([found.low, found.high])


def test_intervals_for_holm_are_bonferronis_and_each_goes_with_its_test() -> None:
    rng = np.random.default_rng(3)
    arms = arm(rng, 500), arm(rng, 500, 0.2)
    many = intervals_for([difference(*arms), always_valid(*arms), difference(*arms)], "holm", 0.95)
    assert many[0] == difference(*arms, level=1 - 0.05 / 3)
    assert many[1] == always_valid(*arms).at(1 - 0.05 / 3)
    assert many[1].high - many[1].low > many[0].high - many[0].low


def test_levels_match_the_correction() -> None:
    assert level_for([0.01, 0.02], "holm", 0.9) == pytest.approx(0.95)
    assert level_for([0.01, 0.02], "none", 0.9) == 0.9
    assert level_for([0.001, 0.9, 0.9, 0.9], "bh", 0.95) == pytest.approx(1 - 0.05 / 4)
    assert level_for([0.9, 0.9], "bh", 0.95) == pytest.approx(1 - 0.05 / 2)
    assert level_for([], "holm", 0.9) == 0.9
    assert len(adjusted([])) == 0


def test_a_difference_without_its_test_has_one_interval_only() -> None:
    by_hand = Difference(value=1.0, stderr=1.0, low=-1.0, high=3.0, p_value=0.3)
    with pytest.raises(InvalidInput, match="lost its test"):
        intervals_for([by_hand])


def test_one_effect_for_all_segments_passes_the_test_of_interaction_as_often_as_it_should() -> None:
    """Seed 4, 1,000 experiments with four segments of 100 to 400 and one effect; wrong once in a million.

    Alarms are 5 %, and up to 6 % is granted to variances that are estimated.
    """
    rng, runs, alarms = np.random.default_rng(4), 1_000, 0
    names = ["a", "b", "c", "d"]
    for _ in range(runs):
        sizes = rng.integers(100, 400, 4)
        controls = {name: arm(rng, n) for name, n in zip(names, sizes, strict=True)}
        treatments = {name: arm(rng, n, 0.3) for name, n in zip(names, sizes, strict=True)}
        alarms += by_segment(controls, treatments).p_value < 0.05
    assert stats.binom.ppf(5e-7, runs, 0.05) <= alarms <= stats.binom.ppf(1 - 5e-7, runs, 0.06)


def test_an_effect_in_one_segment_alone_is_found_there() -> None:
    rng = np.random.default_rng(5)
    controls = {name: arm(rng, 2_000) for name in ("new", "loyal", "lapsed")}
    treatments = {name: arm(rng, 2_000, 0.4 if name == "loyal" else 0.0) for name in controls}
    found = by_segment(controls, treatments)
    rows = {row.segment: row for row in found.rows}
    assert found.p_value < 1e-6
    assert found.freedom == 2
    assert rows["loyal"].p_value < 1e-6 < 0.05 < min(rows["new"].p_value, rows["lapsed"].p_value)
    assert rows["loyal"].difference == difference(controls["loyal"], treatments["loyal"], level=1 - 0.05 / 3)
    assert rows["loyal"].p_value == pytest.approx(3 * rows["loyal"].difference.p_value)


def test_segments_that_carry_nothing_are_named_with_the_reason() -> None:
    rng = np.random.default_rng(6)
    controls = {"a": arm(rng, 50), "b": arm(rng, 50), "tiny": arm(rng, 1)}
    treatments = {"a": arm(rng, 50), "b": arm(rng, 50), "tiny": arm(rng, 9)}
    found = by_segment(controls, treatments, compare=always_valid)
    assert [row.segment for row in found.rows] == ["a", "b"]
    assert "two customers" in found.left_out["tiny"]
    with pytest.raises(NotEnoughData, match="segments"):
        by_segment({"a": controls["a"]}, {"a": treatments["a"]})
    with pytest.raises(InvalidInput, match="tiny"):
        by_segment(controls, {"a": treatments["a"], "b": treatments["b"]})


def test_arms_of_one_draw_are_even_and_a_shifted_one_is_not() -> None:
    rng = np.random.default_rng(7)
    assert balance(arm(rng, 5_000), arm(rng, 5_000)).word == "even"
    shifted = balance(arm(rng, 5_000), arm(rng, 5_000, 0.15))
    assert shifted.word == "uneven"
    assert shifted.standardised == pytest.approx(0.15, abs=0.1)
    assert balance(arm(rng, 20), arm(rng, 20, 0.4)).word == "by chance"
    with pytest.raises(NotEnoughData):
        balance(Moments.of([0.0, 0.0]), Moments.of([0.0, 0.0]))


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("p_values", lambda: adjusted([0.5, 1.5])),
        ("p_values", lambda: adjusted([[0.5]])),
        ("method", lambda: adjusted([0.5], "sidak")),  # type: ignore[arg-type]
        ("level", lambda: level_for([0.5], "holm", 1.0)),
        ("level", lambda: difference(Moments.of([1.0, 2.0]), Moments.of([1.0, 3.0])).at(0.0)),
    ],
)
def test_a_wrong_correction_is_named(field: str, call: Callable[[], Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        call()
    assert refused.value.errors[0].field == field
