"""The closed-form expected reward is the mean of what the simulator does, for arms and for customers."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from experiments.simulate import World, expected_reward, history, one_step_value, uniform
from experiments.simulate.commerce import Floats, Ints
from experiments.simulate.dynamics import State
from experiments.simulate.policies import Moment

CUSTOMERS, SEED, DAY = 20_000, 21, 4


def limit(checks: int, false_alarm: float = 1e-6) -> float:
    """|z| that a correct expectation passes in all of `checks` but with probability `false_alarm`."""
    return -NormalDist().inv_cdf(false_alarm / checks / 2)


def realised(world: World, state: State, day: int, arm: Ints, seed: int) -> Floats:
    """(n,) reward over the window of sending `arm`, then silence."""
    total = np.zeros(world.customers)
    for step in range(world.commerce.window_days):
        state, response = world.step(state, day + step, arm if step == 0 else np.zeros_like(arm), seed)
        total += response.reward()
    return total


@pytest.fixture(scope="module")
def world() -> World:
    """Thirty times the usual churn, so that a window shows what leaving does to the expectation."""
    calm = World.create(SEED, CUSTOMERS)
    return replace(calm, traits=replace(calm.traits, churn=30 * calm.traits.churn))


@pytest.fixture(scope="module")
def state() -> State:
    """After seventy days of contacts, thrice the usual; a quarter have a ticket open, a third a rebate."""
    past = history(World.create(SEED, CUSTOMERS), 70, seed=2, rate=1 / 7).state
    row = np.arange(CUSTOMERS)
    rebate = np.maximum(past.rebate, np.where(row % 3 == 0, 0.5, 0.0))
    return replace(past, ticket=past.ticket | (row % 4 == 0), rebate=rebate)


@pytest.fixture(scope="module")
def expected(world: World, state: State) -> Floats:
    return expected_reward(world, state, DAY)


@pytest.fixture(scope="module")
def errors(world: World, state: State, expected: Floats) -> Floats:
    """(k, n) realised minus expected, every customer through every arm once, each arm with its own luck."""
    arms = range(len(world.arms))
    rows = [realised(world, state, DAY, np.full(CUSTOMERS, arm), 100 + arm) for arm in arms]
    return np.array(rows) - expected.T


def z(errors: Floats) -> float:
    return float(errors.mean() / (errors.std(ddof=1) / errors.size**0.5))


def test_the_state_under_test_holds_everything_that_can_carry_over(state: State) -> None:
    assert 0.02 < 1 - state.alive.mean() < 0.5
    assert state.fatigue.mean() > 1.0
    assert state.wear.max() > 2.0
    assert (state.lift > 0.2).mean() > 0.1
    assert (state.rebate > 0.05).mean() > 0.05
    assert state.ticket.sum() > 50
    assert set(state.stage) == {0, 1, 2, 3}


def test_the_expectation_of_each_arm_is_the_mean_of_20_000_simulated_windows(errors: Floats) -> None:
    """31 arms; a correct formula fails this about once in a million."""
    worst = max(abs(z(row)) for row in errors)
    assert worst < limit(len(errors))


def test_the_expectation_is_the_mean_of_620_000_windows_over_all_arms(errors: Floats) -> None:
    """One pooled check that sees a bias of 0.03 in a mean of 2.4; a false alarm once in a million."""
    means = errors[1:].mean(axis=0)  # a customer's errors share the customer, so they are one row
    assert abs(z(means)) < limit(1)


@pytest.mark.parametrize("trait", ["lift", "fatigue", "rebate", "stage", "ticket", "thrift", "touchiness"])
def test_the_error_is_unrelated_to_what_the_customer_is_like(
    world: World, state: State, errors: Floats, trait: str
) -> None:
    """A right mean with wrong individuals would show here: the errors of seven traits; once in a million."""
    owner = state if hasattr(state, trait) else world.traits
    values = np.asarray(getattr(owner, trait), dtype=np.float64)
    assert abs(z((values - values.mean()) * errors[1:].mean(axis=0))) < limit(7)


def test_the_uplift_that_is_expected_is_the_uplift_that_comes(expected: Floats, errors: Floats) -> None:
    """The slope of the error on the expected uplift over silence, arm by arm; once in a million."""
    uplift = expected.T - expected[:, 0]
    slopes = [z((up - up.mean()) * error) for up, error in zip(uplift[1:], errors[1:], strict=True)]
    assert max(map(abs, slopes)) < limit(len(slopes))


def test_an_arm_without_consent_is_worth_what_silence_is(
    world: World, state: State, expected: Floats
) -> None:
    refused = ~world.eligible(state)
    assert refused.any()
    assert (expected[refused] == np.broadcast_to(expected[:, [0]], expected.shape)[refused]).all()


def test_a_contact_to_somebody_who_has_left_is_worth_its_cost(
    world: World, state: State, expected: Floats
) -> None:
    gone = np.flatnonzero(~state.alive & state.granted.all(axis=1))
    assert len(gone)
    np.testing.assert_allclose(expected[gone], -np.broadcast_to(world.commerce.cost, expected[gone].shape))


def test_one_step_value_is_the_odds_weighted_expectation(
    world: World, state: State, expected: Floats
) -> None:
    moment = Moment(world=world, day=DAY, state=state, eligible=world.eligible(state))
    odds = uniform(moment)
    by_hand = sum(float(odds[:, arm] @ expected[:, arm]) for arm in range(len(world.arms))) / CUSTOMERS
    assert one_step_value(world, state, DAY, odds) == pytest.approx(by_hand)


def test_a_reward_never_reaches_the_playbooks_clip(world: World, errors: Floats, expected: Floats) -> None:
    rewards = errors + expected.T
    assert rewards.max() < 150
    assert rewards.min() > -20
    assert world.traits.basket.max() * 1.5 * world.commerce.window_days < 150
