"""Rewards against the definition, read out row by row."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba.model import BroughtAction
from nba.playbook.catalogue import bring
from nba.playbook.compile import parse
from nba.playbook.schema import Objectives
from nba.rewards.reward import Rewards, reward_version, rewards, worth
from tests.service.business import OPEN

WEEK, LATE = 7 * 86_400.0, 1e9
OUTCOMES = {
    "purchase": {"value": "amount"},
    "survey": {"value": "amount", "weight": 0.5},
    "opened": {"value": 0.25},
    "complaint": {"value": -10, "weight": 2},
}
OBJECTIVES = Objectives.model_validate({"window": "7d", "outcomes": OUTCOMES})
DAY = 86_400.0
OWN = Objectives.model_validate(
    {
        "window": "7d",
        "outcomes": {
            "purchase": {"value": "amount", "window": "3d", "cap": 50.0},
            "survey": {"value": "amount", "weight": 0.5, "cap": 20.0},
            "opened": {"value": 0.25, "window": "1d"},
            "complaint": {"value": -10, "weight": 2},
        },
        "clip": [-30, 60],
    }
)
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
    settle: float = 0.0,
    contact: list[bool] | None = None,
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
            settle=settle,
            contact=None if contact is None else np.array(contact),
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


def test_an_outcome_counts_for_its_own_window_and_up_to_its_own_cap() -> None:
    touchpoints: list[Touch] = [
        ("a", "purchase", 3 * DAY - 1, 40.0),
        ("a", "purchase", 3 * DAY, 1.0),  # too late
        ("b", "purchase", 1.0, 40.0),
        ("b", "purchase", 2.0, 40.0),  # capped at 50
        ("b", "opened", DAY, None),  # too late
        ("b", "opened", DAY - 1, None),
        ("c", "survey", 5 * DAY, -90.0),  # -45, capped at -20
    ]
    result = earned(touchpoints, [0.0, 0.0, 0.0], customers=["a", "b", "c"], objectives=OWN)
    assert result.reward.tolist() == [40.0, 50.25, -20.0]


def test_the_cap_is_taken_before_the_clip_and_the_cost_after_both() -> None:
    touchpoints: list[Touch] = [("a", "purchase", 1.0, 90.0), ("a", "survey", 1.0, 90.0)]
    assert earned(touchpoints, [0.0], objectives=OWN, cost=[1.0]).reward.tolist() == [59.0]


def test_a_reward_is_taken_when_late_reports_have_had_their_time() -> None:
    touchpoints: list[Touch] = [("a", "purchase", 5.0, 3.0)]
    for as_of, mature in ((WEEK + DAY - 1, False), (WEEK + DAY, True)):
        assert earned(touchpoints, [0.0], as_of=as_of, settle=DAY).mature.tolist() == [mature]


def test_what_is_known_early_is_what_came_so_far_less_the_cost() -> None:
    touchpoints: list[Touch] = [("a", "purchase", 5.0, 3.0), ("a", "purchase", 10.0, 4.0)]
    result = earned(touchpoints, [0.0, 0.0, 6.0], cost=[0.0, 0.5, 0.5], as_of=10.0)
    assert result.early.tolist() == [3.0, 2.5, -0.5]
    assert result.elapsed.tolist() == [10.0, 10.0, 4.0]
    assert np.isnan(result.reward).all()


def test_other_contacts_in_a_window_are_counted_and_silence_and_strangers_are_not() -> None:
    decided = [0.0, 1.0, 1.0, WEEK - 1, WEEK, 2.0]
    result = earned(
        [],
        decided,
        customers=["a", "a", "a", "a", "a", "b"],
        contact=[True, False, True, True, True, True],
    )
    # From 0: those at 1 and just before its end. From 1: also the one at its own moment, and the last.
    assert result.overlaps.tolist() == [2, 3, 2, 1, 0, 0]


def test_contacts_that_cost_nothing_are_told_by_the_caller() -> None:
    assert earned([], [0.0, 1.0], cost=[0.0, 0.5]).overlaps.tolist() == [1, 0]
    assert earned([], [0.0, 1.0], contact=[True, True]).overlaps.tolist() == [1, 0]
    assert earned([], [0.0, 1.0]).overlaps.tolist() == [0, 0]


def test_a_large_purchase_of_long_ago_takes_no_digits_from_a_small_one() -> None:
    touchpoints: list[Touch] = [("a", "purchase", 0.0, 1e12), ("a", "purchase", 10.0, 0.01)]
    assert earned(touchpoints, [5.0]).reward.tolist() == [0.01]


def test_the_reward_version_changes_with_what_rewards_mean_and_with_nothing_else() -> None:
    version = reward_version(parse(OPEN))
    assert len(version) == 12
    same = [
        OPEN.replace("window: 7d, outcomes", "window: 168h, outcomes"),
        OPEN.replace("{value: amount}", "{value: amount, window: 7d, weight: 1}"),
        OPEN.replace("floor: 0.05", "floor: 0.1").replace("max: 2", "max: 3"),
    ]
    other = [
        OPEN.replace("window: 7d, outcomes", "window: 8d, outcomes"),
        OPEN.replace("{value: amount}", "{value: amount, cap: 50}"),
        OPEN.replace("{value: amount}", "{value: amount, window: 6d}"),
        OPEN.replace("cost: 0.5", "cost: 0.6"),
        OPEN.replace("offer: {channels", "offer: {cost: 1.0, channels"),
    ]
    assert OPEN not in [*same, *other]
    assert {reward_version(parse(text)) for text in same} == {version}
    assert len({reward_version(parse(text)) for text in other} | {version}) == len(other) + 1
    brought = bring(parse(OPEN), (BroughtAction(id="own", features=()),))
    assert reward_version(brought) == version


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


@settings(deadline=None)
@given(
    st.lists(TOUCHES, max_size=20),
    st.lists(DECISIONS, min_size=1, max_size=8),
    MOMENTS,
    st.sampled_from([OBJECTIVES, CLIPPED, OWN]),
    st.sampled_from([0.0, 1.0]),
)
def test_rewards_are_what_the_definition_says_for_any_history_in_any_order(
    touchpoints: list[Touch],
    decisions: list[tuple[str, float, float]],
    as_of: float,
    objectives: Objectives,
    settle: float,
) -> None:
    customers, decided_at, cost = (list(column) for column in zip(*decisions, strict=True))
    result = earned(
        touchpoints,
        decided_at,
        customers=customers,
        cost=cost,
        as_of=as_of,
        objectives=objectives,
        settle=settle,
    )
    for i, (customer, start, price) in enumerate(decisions):
        known = [(kind, at, value) for who, kind, at, value in touchpoints if who == customer and at < as_of]
        expected = by_hand(objectives, known, start) - price
        assert result.mature[i] == (start + WEEK + settle <= as_of)
        assert result.early[i] == pytest.approx(expected, abs=1e-9)
        assert result.reward[i] == pytest.approx(
            expected if result.mature[i] else np.nan, abs=1e-9, nan_ok=True
        )
        others = [j for j, (who, at, paid) in enumerate(decisions) if who == customer and paid > 0 and j != i]
        assert result.overlaps[i] == sum(start <= decided_at[j] < start + WEEK for j in others)


def by_hand(objectives: Objectives, known: list[tuple[str, float, float | None]], start: float) -> float:
    """The definition, outcome by outcome."""
    total = 0.0
    for name, outcome in objectives.outcomes.items():
        end = start + (objectives.window if outcome.window is None else outcome.window)
        amounts = [value or 0.0 for kind, at, value in known if kind == name and start <= at < end]
        worths = [(a if outcome.value == "amount" else outcome.value) * outcome.weight for a in amounts]
        whole = sum(worths)
        total += whole if outcome.cap is None else min(max(whole, -outcome.cap), outcome.cap)
    if objectives.clip is not None:
        total = min(max(total, objectives.clip[0]), objectives.clip[1])
    return total
