"""Laws of carry-over: effects last and fade, repeats wear out, fatigue builds up, the churned are silent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from experiments.simulate import State, World, expected_reward
from experiments.simulate.commerce import Floats, Ints

CUSTOMERS = 3000


@pytest.fixture(scope="module")
def world() -> World:
    return World.create(8, CUSTOMERS)


def everybody(world: World, arm: int) -> Ints:
    return np.full(world.customers, arm)


def arm_of(world: World, action: str) -> int:
    channel = "push" if action == "double_points" else "email"
    return world.commerce.arm(action, channel, "evening")


def consenting(world: World) -> State:
    return replace(world.initial(), granted=np.ones_like(world.initial().granted))


def opening_gain(world: World, state: State, action: str) -> Floats:
    """(m,) how much an opening lifts, of those who open."""
    after, response = world.step(state, 0, everybody(world, arm_of(world, action)), 3)
    opened = response.happened("opened")
    return np.where(opened, after.lift / 0.5 ** (1 / 2.5) - state.lift, np.nan)


def test_the_effect_of_an_opened_contact_lasts_for_days_and_halves_every_two_and_a_half(world: World) -> None:
    state, response = world.step(consenting(world), 0, everybody(world, arm_of(world, "new_blend")), 3)
    opened = response.happened("opened")
    first = state.lift.copy()
    assert (first[opened] > 0).all()
    assert (first[~opened] == 0).all()
    for day in range(1, 6):
        state, _ = world.step(state, day, everybody(world, 0), 3)
    np.testing.assert_allclose(state.lift, first / 4)


def test_a_lift_carried_over_brings_purchases_in_later_windows(world: World) -> None:
    plain = consenting(world)
    lifted = replace(plain, lift=plain.lift + 1.0)
    assert (expected_reward(world, lifted, 0)[:, 0] > expected_reward(world, plain, 0)[:, 0]).all()


def test_a_repeat_of_the_same_action_wears_out_and_another_action_does_not(world: World) -> None:
    fresh = consenting(world)
    bogo = world.commerce.actions.index("bogo")
    wear = fresh.wear.copy()
    wear[:, bogo] = 2.0
    worn = replace(fresh, wear=wear)
    before, after = opening_gain(world, fresh, "bogo"), opening_gain(world, worn, "bogo")
    opened = ~np.isnan(before)
    np.testing.assert_allclose(after[opened], before[opened] * np.exp(-2 * 0.35))
    np.testing.assert_array_equal(opening_gain(world, fresh, "tasting"), opening_gain(world, worn, "tasting"))


def test_wear_recovers_with_a_half_life_of_three_weeks(world: World) -> None:
    state, _ = world.step(consenting(world), 0, everybody(world, arm_of(world, "bogo")), 3)
    first = state.wear.copy()
    for day in range(1, 22):
        state, _ = world.step(state, day, everybody(world, 0), 3)
    np.testing.assert_allclose(state.wear, first / 2)


def test_fatigue_builds_up_with_each_contact_and_halves_in_ten_days_of_silence(world: World) -> None:
    state = consenting(world)
    levels = []
    for day in range(4):
        state, _ = world.step(state, day, everybody(world, arm_of(world, "tasting")), 3)
        levels.append(state.fatigue[state.alive & state.granted.all(axis=1) & ~state.ticket].mean())
    assert levels == sorted(levels)
    assert levels[-1] > 3 * levels[0]
    peak = state.fatigue.copy()
    for day in range(4, 14):
        state, _ = world.step(state, day, everybody(world, 0), 3)
    np.testing.assert_allclose(state.fatigue, peak / 2)


def test_fatigue_lowers_opening_and_lift_and_raises_unsubscribing_and_churn(world: World) -> None:
    """The draws are shared, so each comparison is exact: who opens tired would have opened fresh."""
    fresh = consenting(world)
    tired = replace(fresh, fatigue=fresh.fatigue + 8.0)
    arm = everybody(world, arm_of(world, "fifteen_off"))
    (after_fresh, one), (after_tired, other) = (world.step(state, 0, arm, 3) for state in (fresh, tired))
    assert not (other.happened("opened") & ~one.happened("opened")).any()
    assert other.happened("opened").sum() < 0.8 * one.happened("opened").sum()
    assert not (one.happened("unsubscribed") & ~other.happened("unsubscribed")).any()
    assert other.happened("unsubscribed").sum() > 2 * one.happened("unsubscribed").sum()
    assert not (~after_fresh.alive & after_tired.alive).any()
    assert (~after_tired.alive).sum() > (~after_fresh.alive).sum()
    both = other.happened("opened")
    assert (after_tired.lift[both] < after_fresh.lift[both]).all()


def test_a_rebate_is_paid_by_those_who_would_have_bought_anyway(world: World) -> None:
    fresh = consenting(world)
    _, silent = world.step(fresh, 0, everybody(world, 0), 3)
    _, offered = world.step(fresh, 0, everybody(world, arm_of(world, "bogo")), 3)
    both = silent.happened("purchase") & offered.happened("purchase") & offered.happened("opened")
    assert both.sum() > 10
    np.testing.assert_allclose(offered.amount[both], 0.6 * silent.amount[both])


def test_a_rebate_halves_in_two_days_and_the_larger_of_two_counts(world: World) -> None:
    state = replace(consenting(world), rebate=np.where(np.arange(CUSTOMERS) % 2 == 0, 0.3, 0.0))
    before = state.rebate
    state, response = world.step(state, 0, everybody(world, arm_of(world, "bogo")), 3)
    promised = np.where(response.happened("opened"), 0.4, before)
    state, _ = world.step(state, 1, everybody(world, 0), 3)
    np.testing.assert_allclose(state.rebate, promised / 2)


def test_an_open_ticket_makes_a_contact_tire_twice(world: World) -> None:
    fresh = consenting(world)
    upset = replace(fresh, ticket=np.ones(CUSTOMERS, dtype=np.bool_))
    arm = everybody(world, arm_of(world, "tasting"))
    (calm, _), (angry, _) = (world.step(state, 0, arm, 3) for state in (fresh, upset))
    np.testing.assert_allclose(angry.fatigue, 2 * calm.fatigue)


def test_churned_customers_are_silent_for_good_and_cost_what_is_sent_to_them(world: World) -> None:
    state = replace(
        consenting(world), alive=np.zeros(CUSTOMERS, dtype=np.bool_), lift=np.full(CUSTOMERS, 5.0)
    )
    arm = arm_of(world, "bogo")
    for day in range(14):
        state, response = world.step(state, day, everybody(world, arm), 3)
        assert response.touchpoints().is_empty()
        np.testing.assert_allclose(response.reward(), -world.commerce.cost[arm])
    assert not state.alive.any()


def test_nothing_is_delivered_without_consent_and_unsubscribing_ends_a_channel_alone(world: World) -> None:
    arm = arm_of(world, "fifteen_off")
    email, push = (world.commerce.channels.index(name) for name in ("email", "push"))
    state = replace(consenting(world), fatigue=np.full(CUSTOMERS, 5.0))
    state, response = world.step(state, 0, everybody(world, arm), 3)
    gone = response.happened("unsubscribed")
    assert gone.sum() > 20
    np.testing.assert_array_equal(~state.granted[:, email], gone)
    assert state.granted[:, push].all()
    assert not world.eligible(state)[gone, arm].any()
    after, response = world.step(state, 1, everybody(world, arm), 3)
    assert not response.delivered[gone].any()
    assert not response.happened("opened")[gone].any()
    assert (after.fatigue[gone] < state.fatigue[gone]).all()


def test_drift_moves_tastes_for_good_and_nothing_else(world: World) -> None:
    drifted = world.drifted(4)
    assert not np.allclose(drifted.traits.taste, world.traits.taste)
    np.testing.assert_allclose(np.sort(drifted.traits.taste, axis=1), np.sort(world.traits.taste, axis=1))
    np.testing.assert_array_equal(drifted.traits.taste, world.drifted(4).traits.taste)
    np.testing.assert_array_equal(drifted.traits.channel, world.traits.channel)
    np.testing.assert_allclose(world.drifted(4, 0.0).traits.taste, world.traits.taste)
    old, new = (expected_reward(it, world.initial(), 0).argmax(axis=1) for it in (world, drifted))
    assert (old != new).mean() > 0.5
