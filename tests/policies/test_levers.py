"""Levers: what the business multiplies an action's gain over silence by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba.playbook.compile import Playbook
from nba.policies.artefact import seal, unseal
from nba.policies.levers import Levers
from nba.policies.policy import Floats
from nba.policies.served import LearnedModel, ServedPolicy
from tests.policies.shop import shop
from tests.policies.world import World

BOGO = (
    "  bogo: {lever: 4.0, category: offer, channels: [email, push], timings: [now, evening],"
    " attributes: {discount: 0.5}}"
)


def test_a_gain_over_silence_is_multiplied_and_a_loss_divided() -> None:
    levers = Levers.of(np.array([1.0, 2.0, 2.0, 0.5, 0.5]))
    assert levers is not None
    values = levers.values(np.array([[1.0, 3.0, 0.0, 3.0, 0.0]]))
    assert values.tolist() == [[1.0, 5.0, 0.5, 2.0, -1.0]]


def test_levers_that_are_all_one_are_none() -> None:
    assert Levers.of(np.ones(3)) is None
    assert Levers.of(None) is None


@given(
    scores=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2),
    low=st.floats(0.1, 10.0),
    more=st.floats(1.0, 10.0),
)
def test_a_larger_lever_never_makes_an_arm_look_worse(scores: list[float], low: float, more: float) -> None:
    row = np.array([scores])
    small, large = (Levers(np.array([1.0, lever]), np.array([1.0, 1 / lever])) for lever in (low, low * more))
    assert large.values(row)[0, 1] >= small.values(row)[0, 1]
    assert large.values(row)[0, 0] == scores[0]


def test_what_the_policy_compares_are_the_levered_scores(
    playbook: Playbook, models: dict[str, LearnedModel], world: World
) -> None:
    moved = shop(bogo=BOGO)
    plain = ServedPolicy.of(models["ridge"], playbook.spec.exploration)
    pulled = ServedPolicy.of(models["ridge"], moved.spec.exploration, moved.arms.lever)
    before, after = (policy.choose(world.features, world.eligible) for policy in (plain, pulled))
    assert np.array_equal(before.scores, after.scores)
    silence = after.scores[:, :1]
    gain = after.scores - silence
    by_hand = silence + np.where(gain > 0, gain * moved.arms.lever, gain / moved.arms.lever)
    assert after.values == pytest.approx(by_hand, abs=1e-12)
    bogo = np.flatnonzero(moved.arms.action == moved.arms.actions.index("bogo"))
    assert share(after.odds, bogo) > share(before.odds, bogo) + 0.02
    best = np.where(world.eligible, by_hand, -np.inf).argmax(axis=1)
    assert np.array_equal(after.best, best)


def test_thompson_pulls_the_lever_on_every_head(headed: dict[str, LearnedModel], world: World) -> None:
    exploration = shop(exploration="exploration: {explorer: thompson, ceiling: 1, floor: 0}").spec.exploration
    lever = shop(bogo=BOGO).arms.lever
    model = headed["ridge"]
    odds = ServedPolicy.of(model, exploration, lever).choose(world.features, world.eligible).odds
    heads = model.head_scores(world.features)
    gain = heads - heads[:, :, :1]
    values = heads[:, :, :1] + np.where(gain > 0, gain * lever, gain / lever)
    best = np.where(world.eligible[:, None, :], values, -np.inf).argmax(axis=2)
    by_hand = np.stack([(best == arm).mean(axis=1) for arm in range(len(lever))], axis=1)
    assert odds == pytest.approx(by_hand, abs=1e-12)


def test_a_published_policy_takes_the_levers_of_the_playbook_in_force(
    playbook: Playbook, models: dict[str, LearnedModel], world: World
) -> None:
    policy = ServedPolicy.of(models["ridge"], playbook.spec.exploration)
    artefact = seal(policy, playbook, data_from=None, data_to=None, rows=0, parameters={})
    moved = shop(bogo=BOGO)
    expected = ServedPolicy.of(models["ridge"], moved.spec.exploration, moved.arms.lever)
    served = unseal(artefact, moved).choose(world.features, world.eligible)
    assert served.odds == pytest.approx(expected.choose(world.features, world.eligible).odds, abs=1e-9)


def share(odds: Floats, arms: Floats) -> float:
    """The mean odds of some arms together."""
    return float(odds[:, arms].sum(axis=1).mean())
