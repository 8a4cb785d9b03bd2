"""What a trial is worth: by later decisions alone, paired, and blind to the last part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nba.playbook.compile import Playbook
from tests.policies.shop import shop
from tests.training.policy.test_selection import logged
from training.policy.log import DecisionLog
from training.tune.bench import Bench
from training.tune.space import Tried
from training.tune.splits import rolling

RIDGE = Tried(learner="ridge")
WEAK = Tried(learner="ridge", settings={"strength": 1e9})


@pytest.fixture(scope="module")
def playbook() -> Playbook:
    return shop()


@pytest.fixture(scope="module")
def log(playbook: Playbook) -> DecisionLog:
    """1,800 uniform decisions, two a customer, one a second."""
    return logged(playbook, 1_800, contextual=True)


@pytest.fixture(scope="module")
def clean(playbook: Playbook, log: DecisionLog) -> Bench:
    return bench(playbook, log)


def bench(playbook: Playbook, log: DecisionLog) -> Bench:
    splits = rolling(log.decided_at, 100.0, splits=2, held=0.3)
    return Bench.of(playbook, log, splits, seed=0)


def test_what_the_last_part_earned_moves_no_trial(playbook: Playbook, log: DecisionLog, clean: Bench) -> None:
    last = np.isin(np.arange(len(log)), clean.final.value)
    spoilt = bench(playbook, replace(log, reward=np.where(last, 1e6, log.reward)))
    values = [b.value([b.odds(RIDGE, fold.split) for fold in b.folds]) for b in (clean, spoilt)]
    assert values[0] == values[1]


def test_a_part_is_valued_by_a_policy_that_knows_nothing_of_it(
    playbook: Playbook, log: DecisionLog, clean: Bench
) -> None:
    first = clean.folds[0].split
    later = log.decided_at > first.start - 100.0  # open windows included
    spoilt = bench(playbook, replace(log, reward=np.where(later, 1e6, log.reward)))
    assert np.array_equal(clean.odds(RIDGE, first), spoilt.odds(RIDGE, first))
    assert np.array_equal(clean.folds[0].q_hat, spoilt.folds[0].q_hat)


def test_who_learns_nothing_is_worth_less_and_the_difference_is_paired(
    clean: Bench,
) -> None:
    """Seed 0, 540 decisions held back; one run, and the same in every run."""
    one, other, gain = clean.last(RIDGE, WEAK)
    assert gain.value == pytest.approx(one.value - other.value)
    assert gain.value > 0.1
    assert gain.stderr < np.hypot(one.stderr, other.stderr)
    assert clean.last(RIDGE, RIDGE)[2].value == 0.0


def test_exploring_more_earns_less(clean: Bench) -> None:
    bold = replace(RIDGE, exploration={"explorer": "epsilon-greedy", "epsilon": 0.3, "ceiling": 0.9})
    shy = replace(RIDGE, exploration={"explorer": "epsilon-greedy", "epsilon": 0.001, "ceiling": 0.1})
    one, other = (
        clean.value([clean.odds(tried, fold.split) for fold in clean.folds]).value for tried in (bold, shy)
    )
    assert one < other


def test_intervals_count_customers_and_not_decisions(log: DecisionLog, clean: Bench) -> None:
    """Every decision twice, of one customer: hardly narrower than once, where by decisions it would be by √2.
    What the odds promise is of draws made one by one, so of these it promises a little more."""
    twice = log.where(np.repeat(np.arange(len(log)), 2))
    alone = replace(log, customer=np.arange(len(log)))
    again = replace(twice, customer=np.repeat(np.arange(len(log)), 2))
    b = replace(clean, log=alone)
    odds = [b.odds(RIDGE, fold.split) for fold in b.folds]
    doubled = replace(
        b,
        log=again,
        folds=tuple(
            replace(
                fold,
                q_hat=np.repeat(fold.q_hat, 2, axis=0),
                split=replace(fold.split, value=np.flatnonzero(np.isin(again.customer, fold.split.value))),
            )
            for fold in b.folds
        ),
    )
    wide = doubled.value([np.repeat(o, 2, axis=0) for o in odds])
    once = b.value(odds)
    assert wide.value == pytest.approx(once.value)
    assert 0.95 * once.stderr < wide.stderr <= once.stderr * (1 + 1e-9)
