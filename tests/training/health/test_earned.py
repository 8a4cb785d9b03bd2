"""Rewards and calibration: falls and wrong expectations are found, chance is not."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest

from nba.errors import NotEnoughData
from nba.playbook.compile import parse
from tests.service.business import OPEN
from training.health.earned import calibrated, halved, reward, score_calibration, value_calibration
from training.health.shift import shift

PLAYBOOK = parse(OPEN)


def _purchases(chance: np.random.Generator, n: int, rate: float = 0.1) -> np.ndarray:
    return (chance.random(n) < rate) * chance.lognormal(2, 1, n)


def test_four_standard_errors_are_hardly_passed_where_nothing_has_changed() -> None:
    """Seeds 0 to 999: 1,200 customers with four decisions before and one now, a tenth buy, lognormal spend,
    customers differ. At 3·10⁻⁵ a side 0.06 of the 1,000 pass; four or more have a chance below 10⁻⁶."""
    customer = np.tile(np.arange(1_200), 5)
    window = np.arange(6_000) >= 4_800
    passed = 0
    for seed in range(1_000):
        chance = np.random.default_rng(seed)
        values = _purchases(chance, 6_000) * np.tile(chance.exponential(1, 1_200), 5)
        with suppress(NotEnoughData):  # one large spender makes up the variance, which is found
            passed += abs(shift(values, customer, window, ~window, 100).deviations) > 4
    assert passed < 4


def test_a_fall_by_a_third_is_found_and_one_by_a_twentieth_is_not() -> None:
    chance, window = np.random.default_rng(7), np.arange(60_000) >= 40_000
    values = 2 + chance.exponential(1, 60_000)
    for share, found in ((1 / 3, True), (1 / 20, False)):
        fallen = np.where(window, values * (1 - share), values)
        (check,) = reward(fallen, np.arange(60_000), window, ~window, PLAYBOOK, "treatment")
        assert check.value > 4
        assert check.breached == found


def test_a_rise_is_no_alarm() -> None:
    chance, window = np.random.default_rng(8), np.arange(6_000) >= 4_000
    values = np.where(window, 2.0, 1.0) * chance.exponential(1, 6_000)
    (check,) = reward(values, np.arange(6_000), window, ~window, PLAYBOOK, "treatment")
    assert check.value < -4
    assert not check.breached


def test_one_customer_who_makes_up_a_fall_is_not_enough() -> None:
    values, window = np.zeros(1_000), np.arange(1_000) >= 500
    values[0] = 1_000.0
    with pytest.raises(NotEnoughData):
        shift(values, np.arange(1_000), window, ~window, 100)


def test_honest_scores_are_hardly_ever_called_wrong() -> None:
    """Seeds 0 to 999, 800 decisions of 200 customers: at 10⁻⁴ a look 0.1 alarms in all; four or more have a
    chance below 10⁻⁵."""
    alarms = 0
    for seed in range(1_000):
        chance = np.random.default_rng(seed)
        said = chance.beta(2, 8, 800)
        found = calibrated(said, (chance.random(800) < said).astype(float), np.arange(800) % 200)
        alarms += found.chance < 1e-4
    assert alarms < 4


def test_scores_that_say_twice_what_comes_are_found() -> None:
    chance = np.random.default_rng(9)
    said = chance.beta(2, 8, 3_000)
    came = chance.random(3_000) < said / 2
    (check,) = score_calibration("churn", said, came, np.arange(3_000), PLAYBOOK)
    assert check.breached
    assert check.value == pytest.approx(1.0, abs=0.25)
    (fine,) = score_calibration("churn", said / 2, came, np.arange(3_000), PLAYBOOK)
    assert not fine.breached


def test_values_that_never_come_are_found_and_unknown_ones_left_out() -> None:
    chance = np.random.default_rng(10)
    expected = np.where(np.arange(4_000) < 2_000, chance.uniform(1, 4, 4_000), np.nan)
    earned = np.nan_to_num(expected, nan=1e6) * chance.exponential(1, 4_000)
    (fine,) = value_calibration(expected, earned, np.arange(4_000), PLAYBOOK)
    (check,) = value_calibration(expected, earned * 0.3, np.arange(4_000), PLAYBOOK)
    assert (fine.breached, check.breached) == (False, True)


def test_half_the_clock_halves_the_window_and_no_outcome_lasts_longer() -> None:
    text = OPEN.replace(
        "{purchase: {value: amount}}", "{purchase: {value: amount}, visit: {value: 1, window: 1d}}"
    )
    halves = halved(parse(text).spec.objectives)
    assert halves.window == 3.5 * 86_400
    assert {name: o.window for name, o in halves.outcomes.items()} == {
        "purchase": 3.5 * 86_400,
        "visit": 86_400,
    }
