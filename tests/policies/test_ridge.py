"""Ridge sums: the tree's solution is the joint one, and parts add up to the whole."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba.errors import InvalidInput, NotEnoughData
from nba.policies.branches import category_of_action, design, offset_count
from nba.policies.encoder import Encoder
from nba.policies.linear import LinearModel
from nba.policies.policy import Floats, Ints
from nba.policies.ridge import RidgeFit, RidgeSums, Shrinkage
from tests.policies.shop import shop

PLAYBOOK = shop()
ARMS = PLAYBOOK.arms
HELD = Shrinkage(overall=3.0, category=20.0, action=7.0, level=2.0)
D = 4


def log(seed: int, n: int, arms: int = len(ARMS)) -> tuple[Floats, Ints, Floats, Floats]:
    rng = np.random.default_rng(seed)
    X, arm = rng.normal(size=(n, D)), rng.integers(0, arms, n)
    reward = 5.0 + X[:, 0] * (ARMS.action[arm] - 1) + ARMS.channel[arm] + rng.normal(size=n)
    return X, arm, reward, rng.exponential(size=n)


def sums(seed: int, n: int, arms: int = len(ARMS)) -> RidgeSums:
    X, arm, reward, weight = log(seed, n, arms)
    return RidgeSums.of(X, arm, reward, ARMS, weight=weight)


def held(strength: float, level: float) -> Floats:
    """The penalty of [1, x, channels, timings, attributes] as the module's docstring has it."""
    return np.array([level] + [strength] * D + [min(strength, max(level, 1.0))] * offset_count(ARMS))


def joint(seed: int, n: int) -> tuple[Floats, Floats, Floats]:
    """All coefficients at once, as one least-squares problem: overall, categories, branches."""
    A, y = problem(seed, n, free=1e-6)
    c, b = len(ARMS.categories), len(ARMS.actions) + 1
    theta: Floats = np.linalg.lstsq(A, y, rcond=None)[0].astype(np.float64).reshape(1 + c + b, -1)
    return theta[0], theta[1 : 1 + c], theta[1 + c :]


def problem(seed: int, n: int, free: float) -> tuple[Floats, Floats]:
    """Its matrix and right side; `free` is what holds a level that nothing should hold."""
    X, arm, reward, weight = log(seed, n)
    z, q = design(X, arm, ARMS), 1 + D + offset_count(ARMS)
    category = category_of_action(ARMS)
    c, b = len(ARMS.categories), len(ARMS.actions) + 1
    rows, right = [], []

    def block(parts: dict[int, Floats]) -> Floats:
        row = np.zeros((len(next(iter(parts.values()))), q * (1 + c + b)))
        for i, part in parts.items():
            row[:, i * q : (i + 1) * q] = part
        return row

    for i in range(b):
        mine = ARMS.action[arm] + 1 == i
        root = np.sqrt(weight[mine])[:, None]
        rows.append(block({1 + c + i: z[mine] * root}))
        right.append(reward[mine] * root[:, 0])
        own = held(HELD.action, HELD.level if i else free)
        parent = 1 + category[i - 1] if i else 0
        rows.append(block({1 + c + i: np.diag(np.sqrt(own)), parent: -np.diag(np.sqrt(own))}))
    for i in range(c):
        own = np.diag(np.sqrt(held(HELD.category, HELD.level)))
        rows.append(block({1 + i: own, 0: -own}))
    rows.append(block({0: np.diag(np.sqrt(held(HELD.overall, free**2)))}))
    A = np.vstack(rows)
    y = np.zeros(len(A))
    data = np.concatenate([np.full(len(r), bool(i % 2 == 0 and i < 2 * b)) for i, r in enumerate(rows)])
    y[data] = np.concatenate(right)
    return A, y


def test_one_pass_up_and_one_down_solve_the_joint_least_squares_problem() -> None:
    fit = sums(0, 600).solve(HELD)
    overall, categories, actions = joint(0, 600)
    assert fit.coefficients.overall == pytest.approx(overall, abs=1e-5)
    assert fit.coefficients.categories == pytest.approx(categories, abs=1e-5)
    assert fit.coefficients.actions == pytest.approx(actions, abs=1e-5)


@given(seed=st.integers(0, 10_000), factor=st.floats(0.1, 1.0), cut=st.integers(1, 199))
@settings(max_examples=25, deadline=None)
def test_parts_add_up_to_the_whole_in_every_sum_and_every_result(seed: int, factor: float, cut: int) -> None:
    X, arm, reward, weight = log(seed, 200)
    parts = [
        RidgeSums.of(X[r], arm[r], reward[r], ARMS, weight=weight[r]) for r in (slice(cut), slice(cut, None))
    ]
    pooled = (parts[0] + parts[1]).decay(factor)
    whole = RidgeSums.of(X, arm, reward, ARMS, weight=weight * factor)
    for field in fields(RidgeSums):
        if field.name not in ("basis", "arms", "count"):
            assert getattr(pooled, field.name) == pytest.approx(getattr(whole, field.name), abs=1e-9)
    assert pooled.count.sum() == pytest.approx(200 * factor)
    one, other = pooled.solve(HELD), whole.solve(HELD)
    assert one.coefficients.actions == pytest.approx(other.coefficients.actions, abs=1e-6)
    assert one.sigma == pytest.approx(other.sigma, abs=1e-6)
    assert one.stderr() == pytest.approx(other.stderr(), abs=1e-6)


def test_taking_a_part_out_again_leaves_what_was_there() -> None:
    whole, part = sums(1, 300), sums(2, 100)
    left = (whole + part) - part
    assert left.gram == pytest.approx(whole.gram)
    assert left.solve(HELD).coefficients.actions == pytest.approx(
        whole.solve(HELD).coefficients.actions, abs=1e-8
    )


def test_the_error_from_sums_is_the_error_from_rows() -> None:
    X, arm, reward, weight = log(3, 250)
    fit = sums(0, 600).solve(HELD)
    predicted = np.einsum("nq,nq->n", design(X, arm, ARMS), fit.coefficients.actions[ARMS.action[arm] + 1])
    expected = np.sum(weight * (reward - predicted) ** 2)
    assert sums(3, 250).error(fit) == pytest.approx(expected)


def test_the_matrix_scores_what_the_branches_say() -> None:
    fit = sums(0, 600).solve(HELD)
    X = np.random.default_rng(1).normal(size=(20, D))
    model = compiled(fit)
    z = model.encoder.encode(features(X))
    for arm in range(len(ARMS)):
        expected = design(z, np.full(20, arm), ARMS) @ fit.coefficients.actions[ARMS.action[arm] + 1]
        assert model.scores(features(X))[:, arm] == pytest.approx(expected, abs=1e-9)


def test_with_endless_shrinkage_every_action_is_the_pool_and_its_level_still_its_own() -> None:
    X, arm, reward, _ = log(5, 4_000)
    pooled = RidgeSums.of(X, arm, reward, ARMS).solve(
        Shrinkage(overall=1e-6, category=1e12, action=1e12, level=1e-3)
    )
    slopes = pooled.coefficients.actions[:, 1 : 1 + D]
    assert slopes == pytest.approx(
        np.tile(pooled.coefficients.overall[1 : 1 + D], (len(slopes), 1)), abs=1e-6
    )


def test_levels_are_not_pulled_to_zero() -> None:
    """Rewards of 5 everywhere are scored 5, however strong the shrinkage, also on arms never tried."""
    X, arm, _, _ = log(5, 50, arms=3)
    fit = RidgeSums.of(X, arm, np.full(50, 5.0), ARMS).solve(Shrinkage(overall=1e4, category=1e4, action=1e4))
    assert compiled(fit).scores(features(X)) == pytest.approx(np.full((50, len(ARMS)), 5.0), abs=1e-4)


def test_more_decisions_make_an_arm_better_known_and_an_untried_one_stays_least_known() -> None:
    few, many = sums(0, 200, arms=5).solve(HELD), sums(0, 20_000, arms=5).solve(HELD)
    assert many.stderr()[1] < few.stderr()[1]
    assert many.stderr()[ARMS.find("survey", "email", "now")] > 5 * many.stderr()[1]


def test_sums_of_different_bases_do_not_add() -> None:
    X, arm, reward, _ = log(0, 10)
    one = RidgeSums.of(X, arm, reward, ARMS, basis="reward 1")
    with pytest.raises(InvalidInput, match="one encoder"):
        one + RidgeSums.of(X, arm, reward, ARMS, basis="reward 2")


def test_no_decisions_are_not_enough() -> None:
    with pytest.raises(NotEnoughData, match="no decisions"):
        sums(0, 0).solve(HELD)


def features(X: Floats) -> Floats:
    """Contexts of the test as the first columns of a row of features."""
    return np.hstack((X, np.zeros((len(X), len(PLAYBOOK.schema) - D))))


def compiled(fit: RidgeFit) -> LinearModel:
    """With an encoder that leaves the first columns nearly as they are."""
    X = np.random.default_rng(9).normal(size=(500, D))
    encoder = Encoder.fit(PLAYBOOK.schema, features(X), bins=1)
    W, names = fit.weights()
    return LinearModel.compile(
        specification="ridge",
        encoder=encoder,
        weights=W,
        arm_features=names,
        arms=ARMS,
        sigma=fit.sigma,
        resolution=0.1,
    )


def test_draws_of_the_tree_have_the_covariance_of_the_joint_posterior() -> None:
    """Seed 0, 4,000 draws, 60 sums of coefficients, each true to 6 %, above five of its standard errors."""
    A, _ = problem(0, 60, free=1.0)
    covariance = np.linalg.inv(A.T @ A)
    apart = sums(0, 60).tree(HELD, free=1.0).deviations(4_000, np.random.default_rng(0))
    flat = np.concatenate(
        [part.reshape(4_000, -1) for part in (apart.overall, apart.categories, apart.actions)],
        axis=1,
    )
    sides = np.random.default_rng(1).normal(size=(60, flat.shape[1]))
    expected = np.sqrt(np.einsum("id,de,ie->i", sides, covariance, sides))
    assert (flat @ sides.T).std(axis=0) == pytest.approx(expected, rel=0.06)


def test_drawn_matrices_scatter_around_the_fitted_one_by_the_residual() -> None:
    """Seed 3, 4,000 draws; the mean of each entry is within 6 standard errors of the fit."""
    fit = sums(0, 600).solve(HELD)
    W, names = fit.weights()
    drawn = fit.draws(4_000, seed=3)
    assert drawn.shape == (4_000, len(names) + 1, D + 1)
    deviation = drawn.std(axis=0)
    assert (np.abs(drawn.mean(axis=0) - W) <= 6 * deviation / np.sqrt(4_000) + 1e-12).all()
    assert fit.sigma > 0.5
    assert (deviation[:, 0] > 0).all()
