"""Which interval is used, what is refused, and with which figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.ope import LoggedBatch, difference, estimate
from experiments.ope.choice import LEAST_FREEDOM, MANY, MANY_REWARDED
from experiments.ope.clip import declared
from experiments.ope.inference import evidence
from experiments.ope.intervals import cressie_read
from nba.errors import InvalidInput, NotEnoughData
from nba.playbook.schema import Objectives

FIGURES = {"n", "customers", "effective_n", "n_psi", "rewarded"}
DAY = 86_400


def conversions(n: int, rate: float, seed: int = 0) -> LoggedBatch:
    """A fair coin between two arms; the target takes arm 1."""
    rng = np.random.default_rng(seed)
    return LoggedBatch(
        reward=(rng.random(n) < rate).astype(float),
        arm=rng.integers(0, 2, n),
        propensity=np.full(n, 0.5),
        target=np.tile([0.0, 1.0], (n, 1)),
        q_hat=np.tile([rate, rate], (n, 1)),
    )


def spending(n: int, seed: int = 0) -> LoggedBatch:
    """The same, with 99 % zeros and lognormal amounts."""
    log = conversions(n, 0.01, seed)
    amounts = np.random.default_rng(seed + 1).lognormal(3.0, 1.5, n)
    return replace(log, reward=log.reward * amounts)


@pytest.mark.parametrize("name", ["ips", "snips", "dr", "sndr"])
def test_many_customers_who_earn_get_students_interval(name: str) -> None:
    found = estimate(name, conversions(1_000, 0.3))
    assert found.interval == "student"
    assert found.n_psi >= MANY
    assert found.rewarded >= MANY_REWARDED
    assert found.value - found.low == pytest.approx(found.high - found.value)


@pytest.mark.parametrize("name", ["ips", "snips", "dr", "sndr", "dr-os"])
def test_few_get_cressie_reads_with_the_range_of_a_conversion(name: str) -> None:
    log = conversions(60, 0.3)
    found = estimate(name, log)
    assert found.interval == "cressie-read"
    assert found.n_psi < MANY
    freedom = max(found.n_psi, LEAST_FREEDOM)
    low, high = cressie_read(log.weight, log.weight * log.reward, 0.95, bounds=(0.0, 1.0), freedom=freedom)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.low >= 0


def test_customers_with_several_decisions_enter_cressie_read_as_their_means() -> None:
    log = replace(conversions(60, 0.3), customer=np.arange(60) // 3)
    found = estimate("snips", log)
    weight, rewarded = (x.reshape(20, 3).mean(axis=1) for x in (log.weight, log.weight * log.reward))
    freedom = max(found.n_psi, LEAST_FREEDOM)
    ends = cressie_read(weight, rewarded, 0.95, bounds=(0.0, 1.0), freedom=freedom)
    assert (found.low, found.high) == pytest.approx(ends)


@pytest.mark.parametrize("name", ["ips", "snips", "dr", "sndr"])
def test_spending_of_a_few_is_refused_until_its_range_is_declared(name: str) -> None:
    """An effective sample of 1,000, and what ten customers spent decides."""
    log = spending(2_000)
    with pytest.raises(NotEnoughData, match=r"objectives\.clip") as refused:
        estimate(name, log)
    figures = refused.value.figures
    assert set(figures) >= FIGURES | {"needed_n_psi"}
    assert figures["effective_n"] > 900
    assert 1 <= figures["rewarded"] < 40
    clipped = replace(log, reward=np.minimum(log.reward, 100.0), bounds=(0.0, 100.0))
    found = estimate(name, clipped)
    assert found.interval == "cressie-read"
    assert found.low <= found.value <= found.high
    assert found.high > found.value + 1.96 * found.stderr


def test_a_wider_declared_range_is_never_narrower() -> None:
    log = spending(2_000)
    clipped = replace(log, reward=np.minimum(log.reward, 100.0))
    near, far = (estimate("snips", replace(clipped, bounds=(0.0, top))) for top in (100.0, 1_000.0))
    assert far.low <= near.low
    assert near.high <= far.high


def test_rewards_of_many_customers_show_their_range_themselves() -> None:
    log = replace(conversions(100, 0.3), reward=np.random.default_rng(3).normal(10, 2, 100))
    known = evidence("snips", log).range
    assert known is not None
    assert known.source == "shown"
    assert known.bounds == (log.reward.min(), log.reward.max())
    assert estimate("snips", log).interval == "cressie-read"


def test_a_reward_model_doesnt_make_up_for_rewards_that_were_not_seen() -> None:
    """Contexts that differ much give DR a large n_psi with three conversions: no plain interval."""
    log = conversions(2_000, 0.3)
    reward = np.zeros(2_000)
    reward[np.flatnonzero(log.weight)[:3]] = 1.0
    predicted = np.tile(np.linspace(0, 0.02, 2_000)[:, None], (1, 2))
    found = estimate("dr", replace(log, reward=reward, q_hat=predicted))
    assert (found.rewarded, found.interval) == (3, "cressie-read")


def test_without_a_conversion_nothing_is_claimed_by_any_estimator() -> None:
    log = replace(conversions(500, 0.3), reward=np.zeros(500))
    for name in ("ips", "snips", "dr", "sndr"):
        with pytest.raises(NotEnoughData, match="don't differ") as refused:
            estimate(name, log)
        assert refused.value.figures["rewarded"] == 0


def test_what_the_log_has_is_told_also_where_it_is_refused() -> None:
    found = evidence("snips", spending(2_000))
    assert found.range is None
    assert found.n_psi < MANY
    assert found.rewarded > 0


def test_a_difference_that_few_tell_apart_is_that_of_two_intervals() -> None:
    log = conversions(60, 0.3)
    taken, left = np.tile([0.0, 1.0], (60, 1)), np.tile([1.0, 0.0], (60, 1))
    found = difference("snips", log, taken, left)
    one, other = (estimate("snips", replace(log, target=target), level=0.975) for target in (taken, left))
    assert found.interval == "cressie-read"
    assert found.low == pytest.approx(one.low - other.high, abs=0.06)
    assert found.high == pytest.approx(one.high - other.low, abs=0.06)
    assert found.low <= found.value <= found.high


def test_policies_that_no_earning_customer_tells_apart_are_refused() -> None:
    log = conversions(200, 0.3)
    silent = replace(log, reward=np.where(np.arange(200) < 100, 0.0, log.reward))
    other = log.target.copy()
    other[:100] = [1.0, 0.0]
    with pytest.raises(NotEnoughData, match="don't differ"):
        difference("snips", silent, other, log.target)
    assert difference("snips", silent, other, other.copy()).interval == "exact"


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["ips", "snips", "dr", "sndr"]))
def test_every_answer_holds_its_value(seed: int, name: str) -> None:
    log = conversions(40, 0.3, seed)
    try:
        found = estimate(name, log)
    except NotEnoughData:
        return
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize("bounds", [(1.0, 0.0), (0.0, float("inf")), (float("nan"), 1.0)])
def test_bounds_that_are_no_range_are_named(bounds: tuple[float, float]) -> None:
    with pytest.raises(InvalidInput, match="bounds"):
        replace(conversions(10, 0.3), bounds=bounds)


def test_a_reward_beyond_the_declared_range_is_named() -> None:
    with pytest.raises(InvalidInput, match="bounds must hold") as refused:
        replace(conversions(100, 0.3), bounds=(0.0, 0.5))
    assert refused.value.errors[0].field == "reward"


def test_the_range_of_a_reward_follows_from_clip_or_caps_less_the_cost() -> None:
    def objectives(outcomes: dict[str, dict[str, object]], **more: object) -> Objectives:
        return Objectives.model_validate({"window": "7d", "outcomes": outcomes, **more})

    bought = {"purchase": {"value": "amount"}}
    assert declared(objectives(bought), 0.5) is None
    assert declared(objectives(bought, clip=[-5, 100]), 0.5) == (-5.5, 100.0)
    capped = {"purchase": {"value": "amount", "cap": 80}, "unsubscribed": {"value": -10, "cap": 10}}
    assert declared(objectives(capped), 0.5) == (-90.5, 80.0)
