"""Cross-fitting: no row has a part in its own prediction, and DR gains by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from experiments.ope import LoggedBatch, cross_fitted, estimate
from experiments.ope.batch import Floats, Ints
from experiments.ope.fitted import Predict, by_arm, folds_of, ridge
from experiments.ope.learned import of_learner
from nba.errors import InvalidInput, NotEnoughData
from nba.playbook.compile import parse
from tests.training.policy.shop import TEXT


def memory(X: Floats, arm: Ints, reward: Floats, arms: int) -> Predict:
    """Knows the rewards that it was fitted on by heart; X holds the row's number."""
    known = dict(zip(X[:, 0].tolist(), reward.tolist(), strict=True))
    return lambda at: np.tile([[known.get(row, -1.0)] for row in at[:, 0].tolist()], (1, arms))


def test_no_prediction_knows_a_reward_of_its_own_customer() -> None:
    rng = np.random.default_rng(1)
    customer = rng.integers(0, 40, 300)
    rows = np.arange(300.0)[:, None]
    predicted = cross_fitted(
        rows, rng.integers(0, 3, 300), rng.random(300), arms=3, fit=memory, customer=customer
    )
    assert (predicted == -1).all()
    fold = folds_of(customer, 5, 0)
    assert all(len(set(fold[customer == c].tolist())) == 1 for c in range(40))
    assert set(fold.tolist()) == set(range(5))


def test_a_ridge_by_arm_makes_dr_narrower_than_ips() -> None:
    """Seed 2, 4,000 rows whose reward is linear in two features by arm, with gaps in one of them."""
    rng = np.random.default_rng(2)
    X, arm = rng.normal(size=(4_000, 2)), rng.integers(0, 3, 4_000)
    slopes = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    reward = (X * slopes[arm]).sum(axis=1) + 2 + rng.normal(0, 0.1, 4_000)
    X[rng.random(4_000) < 0.1, 1] = np.nan
    q_hat = cross_fitted(X, arm, reward, arms=3, fit=ridge(), seed=3)
    batch = LoggedBatch(
        reward=reward,
        arm=arm,
        propensity=np.full(4_000, 1 / 3),
        target=np.tile([0.1, 0.1, 0.8], (4_000, 1)),
        q_hat=q_hat,
    )
    modelled, plain = estimate("dr", batch), estimate("ips", replace(batch, q_hat=None))
    assert modelled.stderr < 0.5 * plain.stderr
    assert modelled.low < 2.0 < modelled.high


def test_any_regressor_fits_by_arm_and_a_rare_arm_earns_a_shrunk_mean() -> None:
    from sklearn.linear_model import LinearRegression

    X = np.arange(60.0)[:, None]
    arm = np.array([0] * 55 + [1] * 5)
    reward = np.where(arm == 0, X[:, 0], 100.0)
    predict = by_arm(LinearRegression, least=20)(X, arm, reward, 3)
    predicted = predict(X)
    np.testing.assert_allclose(predicted[:, 0], X[:, 0], atol=1e-9)
    overall = reward.mean()
    np.testing.assert_allclose(predicted[:, 1], (500 + 20 * overall) / 25)
    np.testing.assert_allclose(predicted[:, 2], overall)


def test_the_engines_own_learners_fit_too() -> None:
    playbook = parse(TEXT)
    rng = np.random.default_rng(3)
    X = rng.random((300, len(playbook.schema)))
    arm = rng.integers(0, len(playbook.arms), 300)
    fit = of_learner("ridge", playbook)
    predicted = cross_fitted(X, arm, arm.astype(float), arms=len(playbook.arms), fit=fit, folds=2)
    assert np.abs(predicted.mean(axis=0) - np.arange(len(playbook.arms))).max() < 0.5
    with pytest.raises(InvalidInput, match="there is no learner 'forest'; there are ridge"):
        of_learner("forest", playbook)


def test_too_few_customers_and_shapes_that_dont_fit_are_refused() -> None:
    X, arm = np.zeros((4, 1)), np.zeros(4, dtype=int)
    with pytest.raises(NotEnoughData, match="5 folds need as many customers"):
        cross_fitted(X, arm, np.zeros(4), arms=1, fit=memory)
    with pytest.raises(InvalidInput, match="features"):
        cross_fitted(X, arm[:3], np.zeros(4), arms=1, fit=memory)
    with pytest.raises(InvalidInput, match="folds"):
        cross_fitted(X, arm, np.zeros(4), arms=1, fit=memory, folds=1)
