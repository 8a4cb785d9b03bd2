"""Vowpal Wabbit: the compiled matrix is VW, and what it learns is right."""

from __future__ import annotations

import numpy as np
import pytest

from nba.errors import CorruptArtefact, InvalidInput
from nba.policies import vowpal
from nba.policies.policy import Floats, Ints


def log(seed: int, n: int) -> tuple[Floats, Ints, Floats, Floats]:
    """Contexts, arms, rewards and φ of a bilinear truth with level 40 and interactions."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6)) * (rng.random((n, 6)) < 0.7)
    phi = np.vstack((np.zeros(5), np.hstack((np.ones((4, 1)), np.eye(4)))))
    truth = rng.normal(size=(6, 7))
    arm = rng.integers(0, 5, n)
    left, right = np.column_stack((np.ones(n), phi[arm])), np.column_stack((np.ones(n), X))
    reward = 40.0 + np.einsum("np,pd,nd->n", left, truth, right) + 0.1 * rng.normal(size=n)
    return X, arm, reward, phi


def scores(W: Floats, X: Floats, phi: Floats) -> Floats:
    return np.column_stack((np.ones(len(X)), X)) @ (np.column_stack((np.ones(len(phi)), phi)) @ W).T


def test_the_compiled_matrix_predicts_what_vowpal_wabbit_predicts() -> None:
    """Other contexts than those the module checks itself; VW is asked through the same workspace."""
    X, arm, reward, phi = log(0, 800)
    reward -= 40.0
    with vowpal.workspace("--learning_rate 0.5", 6, 5) as vw:
        for x, a, r in zip(X, arm, reward, strict=True):
            vw.learn(f"{r:.9g} 1 " + vowpal.namespace("c", x) + vowpal.namespace("a", phi[a]))
        W = vowpal.extract(vw, 6, 5)
        other = 3 * np.random.default_rng(1).normal(size=(200, 6))
        asked = np.array([[vowpal.predict(vw, x, row) for row in phi] for x in other])
    assert np.abs(scores(W, other, phi) - asked).max() < 1e-4 * np.abs(asked).max()
    assert asked.max() > reward.max()  # unclamped: predictions may leave the range of the labels


def test_a_matrix_that_is_not_vowpal_wabbits_is_refused() -> None:
    X, _, _, phi = log(0, 100)
    with vowpal.workspace("", 6, 5) as vw:
        vw.learn("1 1 |c 0:1 |a 1:1 ")
        W = vowpal.extract(vw, 6, 5)
        W[2, 3] += 0.01
        with pytest.raises(CorruptArtefact, match="off what Vowpal Wabbit predicts"):
            vowpal.check(vw, W, X, phi, np.random.default_rng(0))


def test_it_learns_the_truth_of_a_bilinear_world() -> None:
    X, arm, reward, phi = log(2, 6_000)
    W = vowpal.learn(X, arm, reward, phi, weight=np.ones(6_000), seed=0, passes=5, rate=0.5)
    predicted = scores(W, X, phi)[np.arange(6_000), arm]
    assert np.mean((predicted - reward) ** 2) < 0.05 * reward.var()


def test_the_seed_decides_the_order_and_nothing_else_does() -> None:
    X, arm, reward, phi = log(3, 300)
    one, again, other = (
        vowpal.learn(X, arm, reward, phi, weight=np.ones(300), seed=seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_rewards_that_never_vary_are_learned_as_their_level() -> None:
    X, arm, _, phi = log(4, 200)
    W = vowpal.learn(X, arm, np.full(200, 7.0), phi, weight=np.ones(200), seed=0)
    assert scores(W, X, phi) == pytest.approx(np.full((200, 5), 7.0), abs=1e-6)


def test_lines_are_numbers_only() -> None:
    assert vowpal.namespace("c", np.array([0.0, -0.5, 0.0, 1e-7])) == "|c 1:-0.5 3:1e-07 "


def test_features_of_one_number_in_two_namespaces_do_not_share_a_weight() -> None:
    with vowpal.workspace("", 3, 3) as vw:
        for _ in range(200):
            vw.learn("1 1 |c 0:1 |a ")
            vw.learn("-1 1 |c |a 0:1 ")
        context = vowpal.predict(vw, np.array([1.0, 0, 0]), np.zeros(3))
        arm = vowpal.predict(vw, np.zeros(3), np.array([1.0, 0, 0]))
    assert context == pytest.approx(1.0, abs=0.1)
    assert arm == pytest.approx(-1.0, abs=0.1)


def test_importance_weights_are_clipped_and_have_mean_one() -> None:
    propensity = np.array([1.0, 0.5, 0.001])
    weight = vowpal.importance(propensity, "clipped", limit=10.0)
    assert weight.mean() == pytest.approx(1.0)
    assert weight[2] / weight[0] == pytest.approx(10.0)
    assert (vowpal.importance(propensity, "none") == 1).all()
    with pytest.raises(InvalidInput, match="none or clipped"):
        vowpal.importance(propensity, "all")
