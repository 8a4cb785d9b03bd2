"""Tuning picks what a person with the truth would pick, and says no where there is nothing to pick."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from experiments.ope import ESTIMATORS, LoggedBatch, estimate, least_error, slope
from experiments.ope.tuning import TUNABLE
from nba.errors import InvalidInput, NotEnoughData


@pytest.mark.parametrize("name", TUNABLE)
@pytest.mark.parametrize("tune", [slope, least_error])
def test_the_value_of_what_was_chosen_is_that_of_the_estimator(
    batch: LoggedBatch, name: str, tune: Any
) -> None:
    tuned = tune(name, batch)
    assert name in ESTIMATORS
    assert tuned.setting in TUNABLE[name].candidates
    alone = estimate(name, batch, **{tuned.hyper: tuned.setting})
    assert tuned.value == pytest.approx(alone.value)
    assert tuned.estimate(batch) == alone
    (chosen,) = (c for c in tuned.candidates if c.setting == tuned.setting)
    assert chosen.stderr == pytest.approx(alone.stderr)


def test_slope_clips_hard_where_clipping_costs_nothing_and_not_at_all_where_it_costs_much() -> None:
    """Seed 1, 20,000 rows. The third arm, of weight 30 in one row of 100, earns noise about 0, or 1."""
    rng = np.random.default_rng(1)
    n, logging, target = 20_000, np.array([0.5, 0.49, 0.01]), np.array([0.4, 0.3, 0.3])
    arm = (logging.cumsum() > rng.random((n, 1))).argmax(axis=1)
    common = {"arm": arm, "propensity": logging[arm], "target": np.tile(target, (n, 1))}
    harmless = LoggedBatch(reward=np.where(arm < 2, 1.0, rng.normal(size=n)), **common)
    harmful = LoggedBatch(reward=np.where(arm < 2, 0.0, 1.0), **common)
    assert slope("ips", harmless).setting <= 2
    assert slope("ips", harmful).setting == np.inf, "of equal ones the least biased"
    assert least_error("ips", harmful).setting == np.inf


@pytest.mark.parametrize("tune", [slope, least_error])
def test_rewards_in_another_currency_change_no_choice(batch: LoggedBatch, tune: Any) -> None:
    scaled = replace(batch, reward=100 * batch.reward, q_hat=100 * np.asarray(batch.q_hat))
    for name in TUNABLE:
        one, other = tune(name, batch), tune(name, scaled)
        assert one.setting == other.setting
        assert other.value == pytest.approx(100 * one.value)


@pytest.mark.parametrize("tune", [slope, least_error])
def test_a_log_repeated_for_the_same_customers_changes_no_choice(batch: LoggedBatch, tune: Any) -> None:
    columns = ("reward", "arm", "propensity", "target", "q_hat", "customer", "logging")
    tripled = replace(batch, **{c: np.repeat(getattr(batch, c), 3, axis=0) for c in columns})
    for name in TUNABLE:
        assert tune(name, tripled).setting == tune(name, batch).setting


def test_what_has_nothing_to_tune_and_what_is_no_candidate_is_said(batch: LoggedBatch) -> None:
    with pytest.raises(InvalidInput, match="snips has nothing to tune; ips"):
        slope("snips", batch)
    with pytest.raises(InvalidInput, match="must not be empty"):
        slope("ips", batch, [])
    with pytest.raises(InvalidInput, match="delta"):
        slope("ips", batch, delta=1.0)
    with pytest.raises(NotEnoughData, match="two customers"):
        slope("ips", replace(batch, customer=np.zeros(300)))
