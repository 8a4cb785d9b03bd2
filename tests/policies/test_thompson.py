"""Thompson sampling: odds are shares of heads, exact, and heads differ where little is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba.errors import InvalidInput, SchemaMismatch
from nba.playbook.compile import Playbook
from nba.policies.artefact import seal, unseal
from nba.policies.batch import TrainingBatch
from nba.policies.explore import Tree
from nba.policies.learners import LEARNERS
from nba.policies.policy import Bools, Floats
from nba.policies.served import LearnedModel, ServedPolicy
from nba.policies.thompson import frequencies
from tests.policies.shop import shop
from tests.policies.world import World

ARMS = shop().arms
THOMPSON = shop(exploration="exploration: {explorer: thompson, ceiling: 0.3, floor: 0.05}")


def down_the_tree(values: Floats, eligible: Bools) -> Floats:
    """(M, k) values of one row → (k,) odds: each head at each node takes its best child, in plain Python."""
    children: dict[int, dict[int, list[int]]] = {}
    for arm in np.flatnonzero(eligible):
        children.setdefault(ARMS.action[arm], {}).setdefault(ARMS.channel[arm], []).append(int(arm))

    def taken(heads: list[int], groups: list[list[int]]) -> list[list[int]]:
        """Which of the heads take each group of leaves."""
        best = [int(np.argmax([max(values[h, a] for a in group) for group in groups])) for h in heads]
        return [[h for h, b in zip(heads, best, strict=True) if b == i] for i in range(len(groups))]

    odds = np.zeros(len(ARMS))

    def descend(heads: list[int], probability: float, groups: list[list[int]], depth: int) -> None:
        for group, mine in zip(groups, taken(heads, groups), strict=True):
            if not mine:
                continue
            share = probability * len(mine) / len(heads)
            if depth == 2:
                odds[group[0]] = share
            elif depth == 1:
                descend(mine, share, [[arm] for arm in group], 2)
            else:
                channels = children[ARMS.action[group[0]]]
                descend(mine, share, list(channels.values()), 1)

    actions = [[arm for leaves in channels.values() for arm in leaves] for channels in children.values()]
    descend(list(range(len(values))), 1.0, actions, 0)
    return odds


@given(seed=st.integers(0, 2**32 - 1), tied=st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_product_down_the_tree_is_the_share_of_heads_whose_best_leaf_it_is(seed: int, tied: bool) -> None:
    rng = np.random.default_rng(seed)
    shape = (3, 7, len(ARMS))
    values = rng.integers(0, 3, shape).astype(float) if tied else rng.normal(size=shape)
    eligible = rng.random((3, len(ARMS))) < rng.random()
    eligible[:, 0] = True
    odds = frequencies(values, eligible)
    for i in range(3):
        assert odds[i] == pytest.approx(down_the_tree(values[i], eligible[i]), abs=1e-12)


def test_odds_are_multiples_of_one_head_before_ceiling_and_floor() -> None:
    values = np.array([[[0.0, 2.0, 1.0], [0.0, 1.0, 2.0], [0.0, 3.0, 3.0], [1.0, 0.0, 0.0]]])
    assert frequencies(values, np.ones((1, 3), dtype=bool)).tolist() == [[0.25, 0.5, 0.25]]
    assert frequencies(values, np.array([[True, False, True]])).tolist() == [[0.25, 0.0, 0.75]]


@pytest.mark.parametrize("name", ["ridge", "vowpal"])
def test_the_ceiling_and_the_floor_hold_for_thompson_too(
    name: str, headed: dict[str, LearnedModel], world: World
) -> None:
    choice = ServedPolicy.of(headed[name], THOMPSON.spec.exploration).choose(world.features, world.eligible)
    rows = np.arange(len(choice.best))
    even = Tree.of(ARMS).uniform(world.eligible)
    explored = (choice.odds - 0.05 * even) / 0.95
    assert (1 - explored[rows, choice.best]).max() <= 0.3 + 1e-9
    assert (choice.odds >= 0.05 * even).all()


@pytest.mark.parametrize("name", ["ridge", "vowpal"])
def test_heads_scatter_around_the_model(name: str, headed: dict[str, LearnedModel], world: World) -> None:
    heads, scores = headed[name].head_scores(world.features), headed[name].scores(world.features)
    spread = heads.std(axis=1).mean()
    assert 0.01 < spread < 1.0
    assert np.abs(heads.mean(axis=1) - scores).mean() < spread


def test_ridge_draws_differ_more_where_less_is_known(
    playbook: Playbook, headed: dict[str, LearnedModel], world: World
) -> None:
    """1,500 decisions against 150; 8 heads, seeds 0, 1 and 7; the answer is fixed."""
    few = World.of(playbook, 150, seed=0).log(playbook, seed=1)
    unsure = LEARNERS["ridge"].fit(playbook, few, seed=7, heads=8)
    known, unknown = (m.head_scores(world.features).std(axis=1).mean() for m in (headed["ridge"], unsure))
    assert unknown > 1.3 * known


def test_ridge_draws_an_arm_that_was_never_tried_wider_than_the_others(
    playbook: Playbook, world: World
) -> None:
    """3,000 decisions without the survey, 32 heads."""
    log = World.of(playbook, 3_000, seed=0).log(playbook, seed=1)
    survey = playbook.arms.action == playbook.arms.actions.index("survey")
    known = log.at(np.flatnonzero(~survey[log.arm]))
    spread = LEARNERS["ridge"].fit(playbook, known, 7, heads=32).head_scores(world.features).std(axis=1)
    assert spread[:, survey].mean() > 1.5 * spread[:, ~survey].mean()


@pytest.mark.parametrize("name", ["ridge", "vowpal"])
def test_the_seed_decides_the_heads_and_nothing_else_does(
    name: str, playbook: Playbook, world: World
) -> None:
    batch = World.of(playbook, 300, seed=4).log(playbook, seed=5)
    one, again, other = (
        LEARNERS[name].fit(playbook, batch, seed=s, heads=2).head_scores(world.features) for s in (1, 1, 2)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_boosted_model_refuses_heads_and_names_the_mend(playbook: Playbook) -> None:
    batch = World.of(playbook, 100, seed=4).log(playbook, seed=5)
    assert [name for name, learner in LEARNERS.items() if not learner.draws] == ["boosted"]
    with pytest.raises(InvalidInput, match="with ridge or vowpal, or explore otherwise"):
        LEARNERS["boosted"].fit(playbook, batch, seed=0, heads=2)


@pytest.mark.parametrize("name", ["ridge", "vowpal", "boosted"])
def test_a_policy_without_heads_cannot_serve_under_thompson(
    name: str, playbook: Playbook, models: dict[str, LearnedModel]
) -> None:
    policy = ServedPolicy.of(models[name], playbook.spec.exploration)
    artefact = seal(policy, playbook, data_from=None, data_to=None, rows=0, parameters={})
    with pytest.raises(SchemaMismatch, match="train again"):
        unseal(artefact, THOMPSON)


def test_a_policy_with_heads_serves_under_any_explorer(
    playbook: Playbook, headed: dict[str, LearnedModel], world: World
) -> None:
    sealed = seal(
        ServedPolicy.of(headed["vowpal"], THOMPSON.spec.exploration),
        THOMPSON,
        data_from=None,
        data_to=None,
        rows=0,
        parameters={},
    )
    served = unseal(sealed, playbook).choose(world.features, world.eligible)
    expected = ServedPolicy.of(headed["vowpal"], playbook.spec.exploration)
    assert np.array_equal(served.odds, expected.choose(world.features, world.eligible).odds)


def test_a_handful_of_decisions_gives_finite_heads(playbook: Playbook, world: World) -> None:
    log = World.of(playbook, 6, seed=4).log(playbook, seed=5)
    for name in ("ridge", "vowpal"):
        model = LEARNERS[name].fit(playbook, log, seed=3, heads=4)
        assert np.isfinite(model.head_scores(world.features)).all()


def test_rewards_that_never_vary_leave_the_heads_of_one_mind(playbook: Playbook, world: World) -> None:
    log = World.of(playbook, 400, seed=4).log(playbook, seed=5)
    flat = TrainingBatch(
        features=log.features, arm=log.arm, reward=np.full(400, 2.0), propensity=log.propensity
    )
    for name in ("ridge", "vowpal"):
        heads = LEARNERS[name].fit(playbook, flat, seed=3, heads=4).head_scores(world.features)
        assert heads == pytest.approx(np.full(heads.shape, 2.0), abs=0.02)
