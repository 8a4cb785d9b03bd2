"""Rewards against the definition, read out row by row."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba.playbook.schema import Objectives
from nba.rewards.reward import Rewards, rewards, worth

WEEK, LATE = 7 * 86_400.0, 1e9
OUTCOMES = {
    "purchase": {"value": "amount"},
    "survey": {"value": "amount", "weight": 0.5},
    "opened": {"value": 0.25},
    "complaint": {"value": -10, "weight": 2},
}
OBJECTIVES = Objectives.model_validate({"window": "7d", "outcomes": OUTCOMES})
CLIPPED = Objectives.model_validate({"window": "7d", "outcomes": OUTCOMES, "clip": [-5, 20]})
Touch = tuple[str, str, float, float | None]


def frame(touchpoints: list[Touch]) -> pl.DataFrame:
    columns = {"customer": pl.String, "type": pl.String, "occurred_at": pl.Float64, "value": pl.Float64}
    return pl.DataFrame(touchpoints, schema=columns, orient="row")


def earned(
    touchpoints: list[Touch],
    decided_at: list[float],
    *,
    customers: list[str] | None = None,
    cost: list[float] | None = None,
    as_of: float = LATE,
    objectives: Objectives = OBJECTIVES,
) -> Rewards:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Polars warns where it can't see that a frame is sorted
        return rewards(
            objectives,
            customer=pl.Series(customers or ["a"] * len(decided_at), dtype=pl.String),
            decided_at=np.array(decided_at, dtype=np.float64),
            cost=np.zeros(len(decided_at)) if cost is None else np.array(cost),
            touchpoints=frame(touchpoints),
            as_of=as_of,
        )


def test_the_window_holds_its_start_and_not_its_end() -> None:
    start, end = 100.0, 100.0 + WEEK
    for moment, expected in (
        (np.nextafter(start, 0), 0.0),
        (start, 3.0),
        (np.nextafter(end, 0), 3.0),
        (end, 0.0),
    ):
        assert earned([("a", "purchase", float(moment), 3.0)], [start]).reward.tolist() == [expected]


def test_each_outcome_is_worth_what_the_playbook_says() -> None:
    table = frame(
        [
            ("a", "purchase", 0.0, 7.5),
            ("a", "survey", 0.0, 8.0),
            ("a", "opened", 0.0, 99.0),
            ("a", "complaint", 0.0, None),
            ("a", "visit", 0.0, 5.0),
            ("a", "purchase", 0.0, None),
        ]
    )
    assert table.select(worth(OBJECTIVES))["literal"].to_list() == [7.5, 4.0, 0.25, -20.0, 0.0, 0.0]


def test_a_purchase_without_a_value_does_not_unsay_those_before_it() -> None:
    touchpoints: list[Touch] = [("a", "purchase", 10.0, 4.0), ("a", "purchase", 20.0, None)]
    assert earned(touchpoints, [0.0, 15.0]).reward.tolist() == [4.0, 0.0]


def test_silence_earns_its_organic_purchases_and_a_contact_pays_its_cost() -> None:
    result = earned([("a", "purchase", 50.0, 12.0)], [40.0, 45.0], cost=[0.0, 0.6])
    assert result.reward.tolist() == [12.0, 11.4]


def test_the_cost_is_taken_off_after_the_clip() -> None:
    touchpoints: list[Touch] = [("a", "purchase", 1.0, 500.0), ("b", "complaint", 1.0, 0.0)]
    result = earned(touchpoints, [0.0, 0.0], customers=["a", "b"], cost=[2.0, 2.0], objectives=CLIPPED)
    assert result.reward.tolist() == [18.0, -7.0]


def test_what_is_not_mature_is_not_known_and_never_zero() -> None:
    decided = [0.0, 1.0, 2.0]
    result = earned([("a", "purchase", 5.0, 3.0)], decided, as_of=1.0 + WEEK, cost=[1.0, 1.0, 1.0])
    assert result.mature.tolist() == [True, True, False]
    np.testing.assert_array_equal(result.reward, [2.0, 2.0, np.nan])


def test_another_customers_purchase_is_not_ones_own() -> None:
    touchpoints: list[Touch] = [("b", "purchase", 5.0, 3.0)]
    assert earned(touchpoints, [0.0, 0.0, 0.0], customers=["a", "b", "c"]).reward.tolist() == [0.0, 3.0, 0.0]


def test_outcomes_at_one_moment_all_count() -> None:
    touchpoints: list[Touch] = [("a", "purchase", 5.0, float(value)) for value in range(1, 101)]
    touchpoints += [("b", "purchase", 5.0, 1.0)] * 3
    result = earned(touchpoints, [5.0, 4.0, 5.5], customers=["a", "b", "a"])
    assert result.reward.tolist() == [5050.0, 3.0, 0.0]


@pytest.mark.parametrize("touchpoints", [[], [("a", "visit", 5.0, 3.0)]])
def test_without_outcomes_a_mature_reward_is_nothing_but_the_cost(touchpoints: list[Touch]) -> None:
    assert earned(touchpoints, [0.0], cost=[0.5]).reward.tolist() == [-0.5]


def test_no_decisions_have_no_rewards() -> None:
    assert earned([("a", "purchase", 5.0, 3.0)], []).reward.shape == (0,)


MOMENTS = st.sampled_from([0.0, 1.0, 2.0, WEEK, WEEK + 1, WEEK + 2, 2 * WEEK, 3 * WEEK]) | st.floats(
    0, 3 * WEEK
)
TOUCHES = st.tuples(
    st.sampled_from("abc"),
    st.sampled_from([*OBJECTIVES.outcomes, "visit"]),
    MOMENTS,
    st.none() | st.floats(-100, 100),
)
DECISIONS = st.tuples(st.sampled_from("abcd"), MOMENTS, st.sampled_from([0.0, 0.5]))


@given(
    st.lists(TOUCHES, max_size=20),
    st.lists(DECISIONS, min_size=1, max_size=8),
    MOMENTS,
    st.sampled_from([OBJECTIVES, CLIPPED]),
)
def test_rewards_are_what_the_definition_says_for_any_history_in_any_order(
    touchpoints: list[Touch], decisions: list[tuple[str, float, float]], as_of: float, objectives: Objectives
) -> None:
    customers, decided_at, cost = (list(column) for column in zip(*decisions, strict=True))
    result = earned(
        touchpoints, decided_at, customers=customers, cost=cost, as_of=as_of, objectives=objectives
    )
    for i, (customer, start, price) in enumerate(decisions):
        assert result.mature[i] == (start + WEEK <= as_of)
        if not result.mature[i]:
            assert np.isnan(result.reward[i])
            continue
        total = 0.0
        for who, kind, moment, value in touchpoints:
            outcome = objectives.outcomes.get(kind)
            if outcome is not None and who == customer and start <= moment < start + WEEK:
                total += ((value or 0.0) if outcome.value == "amount" else outcome.value) * outcome.weight
        if objectives.clip is not None:
            total = min(max(total, objectives.clip[0]), objectives.clip[1])
        assert result.reward[i] == pytest.approx(total - price, abs=1e-9)
