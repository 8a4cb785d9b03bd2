"""Planned looks: bounds, repeated intervals and p values; when looks come as they come; drift and power."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from experiments.ab import (
    Moments,
    always_valid,
    at_information,
    at_look,
    bounds_at,
    difference,
    duration,
    group_sequential,
    power_of,
    sample_size,
)
from experiments.ab.spending import crossing, even
from nba.errors import InvalidInput


def share(hits: int, n: int) -> Moments:
    return Moments(n=n, total=hits, squares=hits)


def test_a_look_stops_at_the_bound_of_the_plan_and_its_interval_uses_it() -> None:
    control, treatment = share(200, 2_000), share(260, 2_000)
    look = at_look(control, treatment, look=3, looks=5)
    assert look.bound == pytest.approx(group_sequential(5)[2])
    assert look.z == pytest.approx(look.difference.value / look.difference.stderr)
    assert look.difference.high - look.difference.value == pytest.approx(look.bound * look.difference.stderr)
    assert look.spent == pytest.approx(0.05 * (3 / 5) ** 2)
    assert look.crossed
    assert not at_look(control, treatment, look=1, looks=5).crossed


@pytest.mark.parametrize("hits", [205, 230, 250, 255, 258, 261, 290, 600])
@pytest.mark.parametrize("look", [1, 3, 5])
def test_crossing_p_value_and_interval_say_the_same(hits: int, look: int) -> None:
    found = at_look(share(200, 2_000), share(hits, 2_000), look=look, alpha=0.03)
    told = found.difference
    assert found.crossed == (told.p_value < 0.03) == (told.low > 0 or told.high < 0)


def test_the_p_value_of_a_look_is_the_alpha_whose_bound_it_meets() -> None:
    told = at_look(share(200, 2_000), share(245, 2_000), look=2, looks=4).difference
    assert group_sequential(4, alpha=told.p_value)[1] == pytest.approx(told.value / told.stderr, abs=1e-4)
    assert at_look(share(200, 2_000), share(900, 2_000), look=2).difference.p_value == pytest.approx(1e-12)


def test_the_only_look_is_the_plain_test_but_for_the_normal_quantile() -> None:
    control, treatment = share(2_000, 20_000), share(2_100, 20_000)
    planned, plain = at_look(control, treatment, look=1, looks=1).difference, difference(control, treatment)
    assert planned.p_value == pytest.approx(plain.p_value, abs=1e-4)
    assert [planned.low, planned.high] == pytest.approx([plain.low, plain.high], rel=1e-3)


def test_bounds_of_even_looks_are_those_of_the_plan() -> None:
    assert bounds_at([0.2, 0.4, 0.6, 0.8, 1.0]) == pytest.approx(group_sequential(5))
    assert bounds_at([0.2, 0.4]) == pytest.approx(group_sequential(5)[:2])


@pytest.mark.parametrize(
    "fractions", [(0.3, 0.31, 0.9, 1.0), (0.05, 0.5, 1.2), (0.999, 1.0), (0.4, 0.4002, 1.0)]
)
def test_uneven_looks_spend_exactly_alpha(fractions: tuple[float, ...]) -> None:
    """Seed 1, 400,000 Brownian paths; wrong about once in a million (5 standard errors)."""
    bounds, rng = bounds_at(fractions), np.random.default_rng(1)
    at, crossed = np.zeros(400_000), np.zeros(400_000, dtype=bool)
    for bound, time, step in zip(bounds, fractions, np.diff(fractions, prepend=0), strict=True):
        at += np.sqrt(step) * rng.standard_normal(len(at))
        crossed |= np.abs(at) >= bound * np.sqrt(time)
    assert crossed.mean() == pytest.approx(0.05, abs=5 * (0.05 * 0.95 / len(at)) ** 0.5)


def test_a_look_where_they_came_uses_the_bound_of_the_last() -> None:
    control, treatment = share(200, 2_000), share(260, 2_000)
    look = at_information(control, treatment, [0.17, 0.6])
    assert look.bound == pytest.approx(bounds_at([0.17, 0.6])[-1])
    assert look.spent == pytest.approx(0.05 * 0.6**2)
    late = at_information(control, treatment, [0.5, 1.1])
    assert late.spent == pytest.approx(0.05)


@pytest.mark.parametrize("drift", [0.0, 1.0, 2.5, -4.0, 9.0])
def test_the_chance_to_cross_is_that_of_paths_with_this_drift(drift: float) -> None:
    """Seed 2, 200,000 Brownian paths with drift; wrong about once in a million a look."""
    bounds, times, rng = group_sequential(4), even(4), np.random.default_rng(2)
    at, crossed = np.zeros(200_000), np.zeros(200_000, dtype=bool)
    for bound, time, theory in zip(bounds, times, crossing(bounds, times, drift), strict=True):
        at += drift / 4 + rng.standard_normal(len(at)) / 2
        crossed |= np.abs(at) >= bound * np.sqrt(time)
        assert crossed.mean() == pytest.approx(
            theory, abs=5 * (theory * (1 - theory) / len(at)) ** 0.5 + 1e-9
        )


def test_bounds_that_nobody_reaches_do_not_coarsen_the_grid() -> None:
    never = np.array([38.0] * 19 + [1.959963985])
    assert crossing(never, even(20), 0.0)[-1] == pytest.approx(0.05, abs=1e-9)


def test_the_fixed_size_is_the_textbooks() -> None:
    """A share of 10 % lifted to 11 %, power 0.8: 14,749 an arm with each arm's own variance."""
    assert sample_size(0.1, 0.09, 0.01) == 14_749
    assert sample_size(5.0, 4.0, 0.2) == int(np.ceil((1.959964 + 0.841621) ** 2 * 8 / 0.04))


@pytest.mark.parametrize("method", ["fixed", "group-sequential", "always-valid"])
@pytest.mark.parametrize(("ratio", "power"), [(1.0, 0.8), (0.25, 0.9)])
def test_so_many_customers_have_the_power_asked_for_and_one_fewer_has_not(
    method: Any, ratio: float, power: float
) -> None:
    n = sample_size(5.0, 4.0, 0.1, power=power, ratio=ratio, method=method, looks=10)
    assert power_of(n, n * ratio, 4.0, 0.1, method=method, looks=10) >= power - 1e-9
    # the textbook's formula for `fixed` leaves out the far side, a thing of 1e-7
    assert power_of(n - 1, (n - 1) * ratio, 4.0, 0.1, method=method, looks=10) < power + 1e-6


def test_planned_looks_cost_little_and_looking_always_costs_much() -> None:
    fixed, planned, always = (
        sample_size(0.1, 0.09, 0.01, method=method, looks=20)
        for method in ("fixed", "group-sequential", "always-valid")
    )
    assert fixed < planned < 1.15 * fixed < 1.5 * fixed < always < 2.2 * fixed


def test_cuped_saves_the_share_that_it_explains() -> None:
    plain, explained = sample_size(5, 4, 0.1), sample_size(5, 4 * (1 - 0.7**2), 0.1)
    assert explained / plain == pytest.approx(1 - 0.7**2, abs=1e-3)


def test_power_is_what_simulated_experiments_have() -> None:
    """Seed 3, 4,000 experiments of 1,000 an arm looked at five times; wrong about once in a million."""
    rng, runs, n = np.random.default_rng(3), 4_000, 1_000
    y = rng.standard_normal((2, runs, n))
    y[1] += 0.12
    cuts = np.arange(1, 6) * n // 5
    means = y.cumsum(axis=2)[:, :, cuts - 1] / cuts
    z = (means[1] - means[0]) / np.sqrt(2 / cuts)
    found = (np.abs(z) >= group_sequential(5)).any(axis=1).mean()
    theory = power_of(n, n, 1.0, 0.12, method="group-sequential")
    assert found == pytest.approx(theory, abs=5 * (0.25 / runs) ** 0.5)


def test_power_without_effect_is_the_false_alarm_rate() -> None:
    assert power_of(1_000, 1_000, 1.0, 0.0) == pytest.approx(0.05)
    assert power_of(1_000, 1_000, 1.0, 0.0, method="group-sequential", looks=7) == pytest.approx(0.05)
    assert power_of(1_000, 1_000, 1.0, 0.0, method="always-valid", looks=50) < 0.05


def test_the_last_customer_is_waited_for() -> None:
    assert duration(3_000, daily_arrivals=100, window_days=14) == 44


def test_the_always_valid_bound_is_that_of_its_interval() -> None:
    """What planning and the simulations use is what the analysis uses."""
    from experiments.ab.anytime import bound, mixing

    found = always_valid(share(200, 2_000), share(260, 2_500), tuning=3_000, level=0.9)
    z = (found.high - found.value) / found.stderr
    assert float(bound(4_500 * mixing(3_000, 0.1), 0.1)) == pytest.approx(z)


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("look", lambda: at_look(share(1, 9), share(2, 9), look=0)),
        ("look", lambda: at_look(share(1, 9), share(2, 9), look=6, looks=5)),
        ("fractions", lambda: bounds_at([])),
        ("fractions", lambda: bounds_at([0.5, 0.5])),
        ("fractions", lambda: bounds_at([0.0, 0.5])),
        ("fractions", lambda: bounds_at([0.5, 1.1, 1.2])),
        ("fractions", lambda: bounds_at([0.5, 1.0, 1.2])),
        ("fractions", lambda: bounds_at([0.5, float("nan")])),
        ("power", lambda: sample_size(1, 1, 0.1, power=1.0)),
        ("power", lambda: sample_size(1, 1, 0.1, power=0.04)),
        ("effect", lambda: sample_size(1, 1, 0.0)),
        ("effect", lambda: sample_size(0.1, 0.09, 0.95)),
        ("variance", lambda: sample_size(1, 0, 0.1)),
        ("ratio", lambda: sample_size(1, 1, 0.1, ratio=0)),
        ("alpha", lambda: sample_size(1, 1, 0.1, alpha=0.0, method="always-valid")),
        ("method", lambda: power_of(10, 10, 1, 0.1, method="daily")),  # type: ignore[arg-type]
        ("n_control", lambda: power_of(0, 10, 1, 0.1)),
        ("daily_arrivals", lambda: duration(10, 0, 1)),
        ("window_days", lambda: duration(10, 1, -1)),
    ],
)
def test_a_wrong_plan_is_named(field: str, call: Callable[[], Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        call()
    assert refused.value.errors[0].field == field


def test_repeated_intervals_hold_at_all_looks_at_once() -> None:
    """Seed 4, 20,000 experiments, five looks, an effect of 0.2; wrong about once in a million (5 errors)."""
    rng, runs = np.random.default_rng(4), 20_000
    cuts = np.arange(1, 6) * 100
    means = rng.normal(0, 0.1, (2, runs, 5)).cumsum(axis=2) / np.arange(1, 6)  # of 100 customers a step
    found, stderr = means[1] - means[0] + 0.2, np.sqrt(2 / cuts)
    half = group_sequential(5) * stderr
    right = ((found - half <= 0.2) & (found + half >= 0.2)).all(axis=1).mean()
    assert right == pytest.approx(0.95, abs=5 * (0.05 * 0.95 / runs) ** 0.5)
