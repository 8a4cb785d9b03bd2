"""The contract of a policy, over every policy there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from nba.playbook.catalogue import bring
from nba.playbook.compile import Playbook
from nba.policies.artefact import made_up_contexts, seal, unseal
from nba.policies.draw import draw
from nba.policies.explore import uniform_tree
from nba.policies.mixture import MixturePolicy
from nba.policies.policy import Bools, Floats, Policy
from nba.policies.served import ConstantPolicy, IncumbentPolicy, LearnedModel, ServedPolicy, fallback
from tests.policies.shop import BROUGHT, EXPLORERS, POLICIES, shop
from tests.policies.world import World

FLOOR = 0.05
EXPLORING = {  # as the playbook says it, for each explorer under test
    name: "{" + ", ".join(f"{k}: {v}" for k, v in {**values, "ceiling": 0.5, "floor": FLOOR}.items()) + "}"
    for name, values in EXPLORERS.items()
}
laws = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def moments(playbook: Playbook, seed: int, n: int) -> tuple[Floats, Bools]:
    """Features of any size, some not known, and any set of eligible arms."""
    rng = np.random.default_rng(seed)
    X = made_up_contexts(playbook.schema, 64)[rng.integers(64, size=n)]
    X = np.where(rng.random(X.shape) < 0.02, rng.choice([0.0, -1e12, 1e12, np.nan], X.shape), X)
    eligible = rng.random((n, len(playbook.arms))) < rng.random()
    eligible[:, 0] = True
    return X, eligible


@pytest.mark.parametrize("name", POLICIES)
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


@pytest.mark.parametrize("name", POLICIES)
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
        assert np.array_equal(alone.values[0], bulk.values[i])
        assert alone.best[0] == bulk.best[i]


@pytest.mark.parametrize("name", POLICIES)
def test_choosing_changes_neither_its_input_nor_itself(
    name: str, playbook: Playbook, policies: dict[str, Policy]
) -> None:
    X, eligible = moments(playbook, 5, 40)
    before = X.copy(), eligible.copy()
    first, second = policies[name].choose(X, eligible), policies[name].choose(X, eligible)
    assert np.array_equal(first.odds, second.odds)
    assert np.array_equal(X, before[0], equal_nan=True)
    assert np.array_equal(eligible, before[1])


@pytest.mark.parametrize("name", POLICIES)
def test_the_best_arm_is_eligible_and_has_the_highest_value(
    name: str, playbook: Playbook, policies: dict[str, Policy]
) -> None:
    X, eligible = moments(playbook, 6, 200)
    choice = policies[name].choose(X, eligible)
    rows = np.arange(200)
    assert eligible[rows, choice.best].all()
    assert (choice.values[rows, choice.best] >= np.where(eligible, choice.values, -np.inf).max(axis=1)).all()


@pytest.mark.parametrize("name", POLICIES)
def test_without_levers_values_are_scores(name: str, playbook: Playbook, policies: dict[str, Policy]) -> None:
    choice = policies[name].choose(*moments(playbook, 7, 20))
    assert np.array_equal(choice.values, choice.scores)


@pytest.mark.parametrize("name", POLICIES)
def test_draws_come_as_often_as_their_odds(
    name: str, playbook: Playbook, policies: dict[str, Policy]
) -> None:
    """Seeds 8 and 9, 20 moments of 10,000 draws; chi-square at a false-alarm rate of 1e-6 a policy."""
    X, eligible = moments(playbook, 8, 20)
    odds = policies[name].choose(X, eligible).odds
    uniforms = np.random.default_rng(9).random((20, 10_000))
    drawn = np.array([draw(np.tile(row, (10_000, 1)), u) for row, u in zip(odds, uniforms, strict=True)])
    counts = np.array([np.bincount(row, minlength=odds.shape[1]) for row in drawn])
    assert (counts[~eligible] == 0).all()
    expected = 10_000 * odds[eligible]
    statistic = float(np.sum((counts[eligible] - expected) ** 2 / expected))
    freedom = int(eligible.sum()) - len(eligible)
    assert expected.min() > 5  # else chi-square is not its distribution
    assert chi2.sf(statistic, freedom) > 1e-6


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_comes_back_from_its_bytes_with_the_odds_it_had(
    name: str, playbook: Playbook, policies: dict[str, Policy], world: World
) -> None:
    explorer = name.replace(",", "").split()[-1]
    mine = shop(exploration=f"exploration: {EXPLORING.get(explorer, EXPLORING['squarecb'])}")
    policy = policies[name]
    if isinstance(policy, MixturePolicy):  # its parts serve under one playbook
        mine, parts = playbook, [p for p in policy.components if getattr(p, "explore", p) is not None]
        policy = MixturePolicy.of(playbook, parts, [1 / len(parts)] * len(parts))
    artefact = seal(policy, mine, data_from=None, data_to=None, rows=0, parameters={})
    again = unseal(artefact, mine)
    before, after = (p.choose(world.features, world.eligible) for p in (policy, again))
    assert again.specification == policy.specification
    assert np.array_equal(before.odds, after.odds)
    assert np.array_equal(before.scores, after.scores)
    assert seal(again, mine, data_from=None, data_to=None, rows=0, parameters={}).version == artefact.version


@pytest.mark.parametrize("name", POLICIES)
@given(seed=st.integers(0, 2**32 - 1))
@laws
def test_with_arms_brought_along_the_odds_keep_their_laws(
    name: str, seed: int, playbook: Playbook, policies: dict[str, Policy]
) -> None:
    longer = bring(playbook, BROUGHT)
    policy = policies[name].under(longer)
    X, eligible = moments(longer, seed, 40)
    choice = policy.choose(X, eligible)
    assert np.abs(choice.odds.sum(axis=1) - 1).max() <= 1e-9
    assert (choice.odds[~eligible] == 0).all()
    assert (choice.odds >= FLOOR * uniform_tree(longer.arms, eligible)).all()
    alone = policy.choose(X[7:8].copy(), eligible[7:8].copy())
    assert np.array_equal(alone.odds[0], choice.odds[7])


@pytest.mark.parametrize("name", POLICIES)
def test_arms_brought_along_and_refused_change_nothing(
    name: str, playbook: Playbook, policies: dict[str, Policy]
) -> None:
    longer, k = bring(playbook, BROUGHT), len(playbook.arms)
    X, eligible = moments(playbook, 10, 60)
    closed = np.zeros((60, len(longer.arms)), dtype=np.bool_)
    closed[:, :k] = eligible
    own, brought = policies[name].choose(X, eligible), policies[name].under(longer).choose(X, closed)
    assert np.array_equal(brought.scores[:, :k], own.scores)
    assert np.array_equal(brought.best, own.best)
    assert np.abs(brought.odds[:, :k] - own.odds).max() <= 1e-12


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
