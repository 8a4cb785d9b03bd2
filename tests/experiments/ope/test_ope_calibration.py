"""The test of the logged odds: quiet when they are right, loud when they are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest

from experiments.ope import LoggedBatch, diagnostics
from experiments.ope.calibration import check_draws
from nba.errors import InvalidInput


def logged(rng: np.random.Generator, n: int, odds: Any, said: Any = None) -> LoggedBatch:
    """Drawn by (n, k) odds; what the log says of them may differ."""
    arm = (np.cumsum(odds, axis=1) > rng.random((n, 1))).argmax(axis=1)
    logging = odds if said is None else said
    return LoggedBatch(
        reward=np.zeros(n), arm=arm, propensity=logging[np.arange(n), arm], target=logging, logging=logging
    )


def test_p_values_are_uniform_where_odds_are_right() -> None:
    """Seed 1, 400 logs of 300 rows with other odds in each row; false alarm one in 10,000."""
    rng = np.random.default_rng(1)
    found = [check_draws(logged(rng, 300, rng.dirichlet(np.ones(5), 300))) for _ in range(400)]
    assert kstest([one.p_value for one in found], "uniform").pvalue > 1e-4
    single = [arm.p_value for one in found for arm in one.arms if arm.arm == 0]
    assert kstest(single, "uniform").pvalue > 1e-4
    assert {one.freedom for one in found} == {4}


def test_odds_that_are_off_are_found_and_the_arm_is_named() -> None:
    """Seed 2, 5,000 rows: one arm is drawn a fifth more often than logged."""
    rng = np.random.default_rng(2)
    said = np.tile([0.5, 0.3, 0.2], (5_000, 1))
    found = check_draws(logged(rng, 5_000, np.tile([0.46, 0.3, 0.24], (5_000, 1)), said))
    assert found.p_value < 1e-6
    assert found.worst is not None
    assert (found.worst.arm, found.worst.expected) == (2, pytest.approx(1_000))
    assert found.worst.z > 4


def test_arms_that_are_seldom_expected_count_together() -> None:
    rng = np.random.default_rng(3)
    odds = np.tile([0.6, 0.39, *[0.0005] * 20], (1_000, 1))
    found = check_draws(logged(rng, 1_000, odds))
    assert ([arm.arm for arm in found.arms], found.pooled) == ([0, 1], 20)
    assert found.freedom == 2


def test_where_nothing_is_random_there_is_nothing_to_test() -> None:
    sure = np.tile([1.0, 0.0], (50, 1))
    found = check_draws(logged(np.random.default_rng(4), 50, sure))
    assert (found.freedom, found.p_value, found.arms, found.impossible) == (0, 1.0, (), 0)


def test_the_odds_of_all_arms_are_needed(batch: LoggedBatch) -> None:
    with pytest.raises(InvalidInput, match="logging"):
        check_draws(replace(batch, logging=None))
    assert diagnostics(replace(batch, logging=None)).draws is None
    assert diagnostics(batch).draws is not None


def test_the_heaviest_customers_come_first_with_their_heaviest_row(batch: LoggedBatch) -> None:
    found = diagnostics(batch)
    of_customer = np.bincount(np.asarray(batch.customer), weights=batch.weight)
    top = found.heaviest[0]
    assert top.customer == of_customer.argmax()
    assert top.share == pytest.approx(of_customer.max() / batch.weight.sum())
    assert np.asarray(batch.customer)[top.row] == top.customer
    assert [heavy.share for heavy in found.heaviest] == sorted(
        (h.share for h in found.heaviest), reverse=True
    )
    by_row = diagnostics(replace(batch, customer=None)).heaviest[0]
    assert (by_row.customer, by_row.weight) == (by_row.row, batch.weight.max())


def test_what_clipping_takes_away_is_counted(batch: LoggedBatch) -> None:
    found = diagnostics(batch, clip=2.0)
    assert found.clipped_share == pytest.approx((batch.weight > 2).mean())
    assert found.clipped_weight == pytest.approx(1 - np.minimum(batch.weight, 2).sum() / batch.weight.sum())


def test_odds_on_arms_that_could_not_be_drawn_are_counted() -> None:
    logging = np.tile([0.5, 0.5, 0.0], (40, 1))
    target = np.tile([0.25, 0.5, 0.25], (40, 1))
    batch = LoggedBatch(
        reward=np.zeros(40),
        arm=np.arange(40) % 2,
        propensity=np.full(40, 0.5),
        target=target,
        logging=logging,
    )
    found = diagnostics(batch)
    assert (found.refused_share, found.unsupported) == (0.25, (2,))
