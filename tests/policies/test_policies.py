"""The contract of a policy, over every policy there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nba.playbook.compile import Playbook
from nba.policies.artefact import made_up_contexts
from nba.policies.explore import uniform_tree
from nba.policies.policy import Bools, Floats, Policy
from nba.policies.served import (
    ConstantPolicy,
    IncumbentPolicy,
    LearnedModel,
    ServedPolicy,
    UniformPolicy,
    fallback,
)
from tests.policies.shop import shop
from tests.policies.world import World

NAMES = ("ridge", "vowpal", "boosted", "constant", "uniform", "incumbent")
FLOOR = 0.05
laws = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="session")
def policies(playbook: Playbook, models: dict[str, LearnedModel]) -> dict[str, Policy]:
    learned = {name: ServedPolicy.of(m, playbook.spec.exploration) for name, m in models.items()}
    return {
        **learned,
        "constant": ConstantPolicy.of(playbook, playbook.arms.find("bogo", "push", "now")),
        "uniform": UniformPolicy.of(playbook),
        "incumbent": IncumbentPolicy.of(playbook),
    }


def moments(playbook: Playbook, seed: int, n: int) -> tuple[Floats, Bools]:
    """Features of any size, some not known, and any set of eligible arms."""
    rng = np.random.default_rng(seed)
    X = made_up_contexts(playbook.schema, 64)[rng.integers(64, size=n)]
    X = np.where(rng.random(X.shape) < 0.02, rng.choice([0.0, -1e12, 1e12, np.nan], X.shape), X)
    eligible = rng.random((n, len(playbook.arms))) < rng.random()
    eligible[:, 0] = True
    return X, eligible


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32 - 1))
@laws
def test_odds_sum_to_one_spare_refused_arms_and_keep_the_floor(
    name: str, seed: int, playbook: Playbook, policies: dict[str, Policy]
) -> None:
    X, eligible = moments(playbook, seed, 9)
    odds = policies[name].choose(X, eligible).odds
    assert np.abs(odds.sum(axis=1) - 1).max() <= 1e-9
    assert (odds[~eligible] == 0).all()
    assert (odds >= FLOOR * uniform_tree(playbook.arms, eligible)).all()


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32 - 1))
@laws
def test_a_row_alone_has_the_bits_it_has_in_bulk_and_no_row_sees_another(
    name: str, seed: int, playbook: Playbook, policies: dict[str, Policy]
) -> None:
    X, eligible = moments(playbook, seed, 150)
    bulk = policies[name].choose(X, eligible)
    order = np.random.default_rng(seed).permutation(150)
    shuffled = policies[name].choose(X[order], eligible[order])
    assert np.array_equal(shuffled.odds, bulk.odds[order])
    for i in (0, 1, 77, 149):
        alone = policies[name].choose(X[i : i + 1].copy(), eligible[i : i + 1].copy())
        assert np.array_equal(alone.odds[0], bulk.odds[i])
        assert np.array_equal(alone.scores[0], bulk.scores[i])
        assert alone.best[0] == bulk.best[i]


@pytest.mark.parametrize("name", NAMES)
def test_choosing_changes_neither_its_input_nor_itself(
    name: str, playbook: Playbook, policies: dict[str, Policy]
) -> None:
    X, eligible = moments(playbook, 5, 40)
    before = X.copy(), eligible.copy()
    first, second = policies[name].choose(X, eligible), policies[name].choose(X, eligible)
    assert np.array_equal(first.odds, second.odds)
    assert np.array_equal(X, before[0], equal_nan=True)
    assert np.array_equal(eligible, before[1])


@pytest.mark.parametrize("name", NAMES)
def test_the_best_arm_is_eligible_and_has_the_highest_score(
    name: str, playbook: Playbook, policies: dict[str, Policy]
) -> None:
    X, eligible = moments(playbook, 6, 200)
    choice = policies[name].choose(X, eligible)
    rows = np.arange(200)
    assert eligible[rows, choice.best].all()
    assert (choice.scores[rows, choice.best] >= np.where(eligible, choice.scores, -np.inf).max(axis=1)).all()


@pytest.mark.parametrize("name", ["ridge", "vowpal", "boosted"])
def test_a_learned_policy_beats_the_best_constant_where_customers_differ(
    name: str, playbook: Playbook, models: dict[str, LearnedModel], world: World
) -> None:
    """6,000 decisions, noise of deviation 1, seeds 0 to 2; judged on true means, so the answer is fixed."""
    best = world.best_constant()
    assert world.value(ServedPolicy.greedy(models[name])) > best + 0.1
    assert world.value(ServedPolicy.of(models[name], playbook.spec.exploration)) > best


@pytest.mark.parametrize("name", ["ridge", "vowpal", "boosted"])
def test_scores_are_in_currency(name: str, models: dict[str, LearnedModel], world: World) -> None:
    scores = models[name].scores(world.features)
    assert np.corrcoef(scores.ravel(), world.mean.ravel())[0, 1] > 0.65
    assert abs(scores.mean() - world.mean.mean()) < 0.15
    assert 0.7 < models[name].sigma < 1.3
    assert 0.0 < models[name].resolution < 0.5


def test_the_constant_policy_falls_back_to_silence_where_its_arm_is_refused(playbook: Playbook) -> None:
    arm = playbook.arms.find("bogo", "push", "now")
    eligible = np.ones((2, len(playbook.arms)), dtype=bool)
    eligible[1, arm] = False
    choice = ConstantPolicy.of(playbook, arm).choose(np.zeros((2, len(playbook.schema))), eligible)
    assert choice.best.tolist() == [arm, 0]
    assert (choice.odds[[0, 1], [arm, 0]] > 0.95).all()


def test_the_incumbent_takes_the_first_rule_that_holds_and_whose_arm_is_eligible(playbook: Playbook) -> None:
    index, arms = playbook.schema.index, playbook.arms
    X = np.zeros((4, len(playbook.schema)))
    X[:3, index["basket"]] = 60
    X[:2, index["member"]] = 1
    X[3, index["member"]] = np.nan
    eligible = np.ones((4, len(arms)), dtype=bool)
    eligible[1:3, arms.find("bogo", "push", "now")] = False
    best = IncumbentPolicy.of(playbook).choose(X, eligible).best
    newsletter = arms.find("newsletter", "email", "now")
    assert best.tolist() == [arms.find("bogo", "push", "now"), newsletter, 0, 0]


def test_with_nothing_trained_the_incumbent_serves_and_without_rules_uniform(playbook: Playbook) -> None:
    assert fallback(playbook).specification == "incumbent"
    text = playbook.text[: playbook.text.index("incumbent:")]
    assert fallback(shop(text=text)).specification == "uniform"


def test_contributions_of_a_linear_model_add_up_to_its_score(
    models: dict[str, LearnedModel], world: World
) -> None:
    for name in ("ridge", "vowpal"):
        model = models[name]
        arm = np.arange(len(world.features)) % len(model.arms)
        parts = model.contributions(world.features, arm)
        scores = model.scores(world.features)[np.arange(len(arm)), arm]
        assert parts.shape == world.features.shape
        assert parts.sum(axis=1) + model.level[arm] == pytest.approx(scores, abs=1e-9)  # type: ignore[attr-defined]


def test_a_boosted_model_names_the_feature_that_an_arm_depends_on(
    playbook: Playbook, models: dict[str, LearnedModel], world: World
) -> None:
    arm = np.full(len(world.features), playbook.arms.find("bogo", "push", "now"))
    parts = np.abs(models["boosted"].contributions(world.features, arm)).mean(axis=0)
    assert playbook.schema.index["basket"] in np.argsort(parts)[-2:]
