"""True values: the oracle above the best single arm above uniform, silence often best, odds checked."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from experiments.simulate import (
    NO_CONTACT,
    Moment,
    State,
    Value,
    World,
    always,
    deployed_value,
    expected_reward,
    history,
    one_step_value,
    oracle,
    oracle_odds,
    uniform,
)
from experiments.simulate.commerce import Floats
from experiments.simulate.dynamics import STAGES
from experiments.simulate.policies import draw
from nba.errors import InvalidInput

CUSTOMERS, DAYS = 3000, 56


@pytest.fixture(scope="module")
def world() -> World:
    return World.create(7, CUSTOMERS)


@pytest.fixture(scope="module")
def state(world: World) -> State:
    return history(world, 60, seed=1).state


@pytest.fixture(scope="module")
def expected(world: World, state: State) -> Floats:
    return expected_reward(world, state, 0)


def at_once(world: World, state: State) -> Moment:
    return Moment(world=world, day=0, state=state, eligible=world.eligible(state))


def test_one_step_ahead_the_oracle_leads_the_best_arm_by_a_quarter_and_that_leads_uniform(
    world: World, state: State, expected: Floats
) -> None:
    moment = at_once(world, state)
    single = max(one_step_value(world, state, 0, always(arm)(moment)) for arm in range(len(world.arms)))
    best = one_step_value(world, state, 0, oracle_odds(expected))
    assert best > 1.25 * single
    assert single > 1.05 * one_step_value(world, state, 0, uniform(moment))
    assert best == pytest.approx(expected.max(axis=1).mean())


def test_silence_is_best_for_a_good_share_and_every_arm_for_somebody(state: State, expected: Floats) -> None:
    best = np.bincount(expected[state.alive].argmax(axis=1), minlength=expected.shape[1])
    assert 0.1 < best[NO_CONTACT] / best.sum() < 0.5
    assert (best > 0).all()


def test_what_the_company_can_see_carries_most_of_what_the_oracle_gains(
    world: World, state: State, expected: Floats
) -> None:
    """Attributes alone, linear with products, fitted on one half of customers and valued on the other."""
    seen = world.profiles().join(world.contexts(), "customer_id").to_dummies(["region", "device"])
    plain = seen.drop("customer_id", "timezone").cast(pl.Float64).with_columns(pl.col("age") / 50).to_numpy()
    products = np.einsum("na,nb->nab", plain, plain).reshape(CUSTOMERS, -1)
    design = np.hstack([np.ones((CUSTOMERS, 1)), plain, products])
    fitted = design @ np.linalg.lstsq(design[::2], expected[::2], rcond=1e-9)[0]
    chosen = np.where(world.eligible(state), fitted, -np.inf)[1::2].argmax(axis=1)
    judged = expected[1::2]
    single, best = judged.mean(axis=0).max(), judged.max(axis=1).mean()
    reached = judged[np.arange(len(judged)), chosen].mean()
    assert single + 0.5 * (best - single) < reached < best


def test_deployed_for_eight_weeks_the_oracle_beats_silence_uniform_and_weekly_blanket_arms(
    world: World, state: State
) -> None:
    """Paired by luck; the intervals at 1 − 1e-6 must clear zero."""
    best = deployed_value(world, oracle, state, days=DAYS, seed=3)
    assert best.low < best.mean < best.high
    assert len(best.totals) == CUSTOMERS
    rivals = [always(arm) for arm in (NO_CONTACT, *range(1, len(world.arms), 4))]
    for rival in (uniform, *rivals):
        other = deployed_value(world, rival, state, days=DAYS, seed=3)
        assert Value.of(best.totals - other.totals, level=1 - 1e-6).low > 0


def test_a_deployment_repeats_with_its_seed(world: World, state: State) -> None:
    one, same, other = (deployed_value(world, uniform, state, days=14, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.totals, same.totals)
    assert not np.array_equal(one.totals, other.totals)


def test_contacts_every_other_day_earn_less_than_every_week(world: World, state: State) -> None:
    """More contacts, less worth: fatigue and wear-out carry over. Paired by luck, at 1 − 1e-6."""
    arm = world.commerce.arm("brew_guide", "email", "morning")
    weekly, often = (
        deployed_value(world, always(arm), state, days=DAYS, seed=3, decision_every=every) for every in (7, 2)
    )
    assert Value.of(weekly.totals - often.totals, level=1 - 1e-6).low > 0


def test_a_deployed_policy_sees_every_touchpoint_since_its_last_decision(world: World, state: State) -> None:
    seen: list[pl.DataFrame] = []

    def policy(moment: Moment) -> Floats:
        events = moment.touchpoints()
        assert (events["occurred_at"].dt.epoch("us") < moment.at * 1e6).all()
        seen.append(events)
        return always(NO_CONTACT)(moment)

    total = deployed_value(world, policy, state, days=22, seed=3).totals
    assert [frame.is_empty() for frame in seen] == [True, False, False, False]
    events = pl.concat(seen)
    assert events["event_id"].is_unique().all()
    value = float(events["value"].to_numpy().sum())
    assert 0 < total.sum() - value < 0.1 * value  # the twenty-second day is in the total alone


@pytest.mark.parametrize("odds", [[0.5, 0.4, 0], [1.5, -0.5, 0], [0, 0, 1], [np.nan, 1, 0], [0.5, 0.5]])
def test_odds_that_are_none_are_refused(odds: list[float]) -> None:
    eligible = np.array([[True, True, False]])
    with pytest.raises(InvalidInput, match="odds"):
        draw(np.array([odds]), eligible, np.array([0.5]))


def test_arms_are_drawn_at_their_odds() -> None:
    """40,000 draws; six standard deviations, a false alarm about once in a hundred million."""
    odds = np.tile([0.1, 0.0, 0.6, 0.3], (40_000, 1))
    drawn = draw(odds, odds > 0, np.random.default_rng(0).random(40_000))
    share = np.bincount(drawn, minlength=4) / 40_000
    assert (np.abs(share - odds[0]) <= 6 * np.sqrt(odds[0] * (1 - odds[0]) / 40_000)).all()


def test_stages_are_all_lived_in(state: State) -> None:
    shares = np.bincount(state.stage[state.alive], minlength=len(STAGES)) / state.alive.sum()
    assert (shares > 0.05).all()
