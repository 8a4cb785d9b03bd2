"""Which learner: by value on others' customers, and never by one's own rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nba.errors import NotEnoughData
from nba.playbook.compile import Playbook
from nba.policies.served import UniformPolicy
from tests.policies.shop import shop
from tests.policies.world import World
from training.policy.crossing import cross_choose, cross_fit
from training.policy.log import DecisionLog
from training.policy.selection import CONSTANT, best_constant, customer_folds, select


@pytest.fixture(scope="module")
def playbook() -> Playbook:
    return shop()


def logged(playbook: Playbook, n: int, *, contextual: bool, seed: int = 0) -> DecisionLog:
    """Uniform decisions, two a customer. Without context, each arm earns one amount for all."""
    world = World.of(playbook, n, seed)
    if not contextual:
        flat = np.append(np.linspace(0.0, 1.0, len(playbook.arms) - 1), 3.0)
        world = replace(world, mean=np.tile(flat, (n, 1)))
    batch = world.log(playbook, seed, noise=0.5 if contextual else 0.1)
    return DecisionLog(
        customer=np.arange(n) // 2,
        decided_at=np.arange(n, dtype=np.float64),
        group=np.full(n, "treatment"),
        features=world.features,
        eligible=world.eligible,
        arm=batch.arm,
        propensity=batch.propensity,
        odds=UniformPolicy.of(playbook).choose(world.features, world.eligible).odds,
        reward=batch.reward,
    )


def test_folds_keep_a_customer_together_and_are_of_one_size() -> None:
    customer = np.repeat(np.arange(90), 3)
    fold = customer_folds(customer, 3, seed=1)
    assert (fold.reshape(90, 3) == fold[::3, None]).all()
    assert np.bincount(fold).tolist() == [90, 90, 90]


def test_a_learner_wins_where_taste_is_in_the_context(playbook: Playbook) -> None:
    selected = select(playbook, logged(playbook, 3_000, contextual=True), seed=0, learners=("ridge",))
    values = {c.specification: c.value for c in selected.candidates}
    assert selected.specification == "ridge"
    assert values["ridge"] > values[CONSTANT] + 0.1
    assert [c.value for c in selected.candidates] == sorted(values.values(), reverse=True)


def test_the_best_constant_serves_where_context_says_nothing(playbook: Playbook) -> None:
    """Every arm is open to all, so the best one is the best for each: the learner can only equal it."""
    log = logged(playbook, 2_000, contextual=False)
    log = replace(log, eligible=np.ones_like(log.eligible))
    selected = select(playbook, log, seed=0, learners=("ridge",))
    best = len(playbook.arms) - 1
    assert best_constant(log) == best
    assert selected.specification == CONSTANT
    assert selected.policy.choose(log.features[:5], log.eligible[:5]).best.tolist() == [best] * 5


def test_a_constant_counts_as_silence_where_it_is_refused(playbook: Playbook) -> None:
    """The last arm earns 5, but only one in ten may have it; arm 1 earns 1 from everybody."""
    n, last = 3_000, len(playbook.arms) - 1
    rng = np.random.default_rng(0)
    eligible = np.zeros((n, last + 1), dtype=np.bool_)
    eligible[:, :2] = True
    eligible[:, last] = rng.random(n) < 0.1
    odds = eligible / eligible.sum(axis=1, keepdims=True)
    arm = np.array([rng.choice(last + 1, p=row) for row in odds])
    log = replace(
        logged(playbook, n, contextual=False),
        eligible=eligible,
        odds=odds,
        arm=arm,
        propensity=odds[np.arange(n), arm],
        reward=np.select([arm == last, arm == 1], [5.0, 1.0], 0.0),
    )
    assert best_constant(log) == 1


def test_no_row_is_valued_by_what_its_customer_did(playbook: Playbook) -> None:
    """Poison one customer's rewards: nothing predicted for or decided about that customer moves."""
    log = logged(playbook, 900, contextual=True)
    mine = log.customer == 7
    poisoned = replace(log, reward=np.where(mine, 1e6, log.reward))
    clean, spoilt = (
        cross_fit(playbook, one, folds=2, seed=3, learners=("ridge",)) for one in (log, poisoned)
    )
    for name in ("q_hat", "greedy", "served", "constant"):
        assert (getattr(clean, name)[mine] == getattr(spoilt, name)[mine]).all(), name
    assert not np.array_equal(clean.q_hat[~mine], spoilt.q_hat[~mine]), "others may learn from it"


def test_rewards_are_predicted_by_models_of_other_customers_in_the_quick_way_too(playbook: Playbook) -> None:
    log = logged(playbook, 900, contextual=True)
    mine, trains = log.customer == 7, log.customer % 5 != 0
    poisoned = replace(log, reward=np.where(mine | ~trains, 1e6, log.reward))
    clean, spoilt = (
        cross_choose(playbook, one, folds=2, seed=3, learners=("ridge",), trains=trains)
        for one in (log, poisoned)
    )
    assert (clean.crossed.q_hat[mine] == spoilt.crossed.q_hat[mine]).all()
    assert clean.specification == "ridge"
    assert clean.crossed.served.sum(axis=1) == pytest.approx(np.ones(900), abs=1e-9)
    assert {c.specification for c in clean.candidates} == {"ridge", CONSTANT}


def test_who_only_judges_trains_nothing(playbook: Playbook) -> None:
    log = logged(playbook, 900, contextual=True)
    trains = log.customer % 3 != 0
    poisoned = replace(log, reward=np.where(trains, log.reward, 1e6))
    clean, spoilt = (
        cross_fit(playbook, one, folds=2, seed=3, learners=("ridge",), trains=trains)
        for one in (log, poisoned)
    )
    assert np.array_equal(clean.q_hat, spoilt.q_hat)
    assert np.array_equal(clean.served, spoilt.served)
    assert clean.served.sum(axis=1) == pytest.approx(np.ones(900), abs=1e-9)


def test_a_log_of_one_arm_is_not_enough(playbook: Playbook) -> None:
    log = logged(playbook, 60, contextual=True)
    with pytest.raises(NotEnoughData, match="at least two arms"):
        select(playbook, log.where(log.arm == 0), seed=0, learners=("ridge",))
