"""Delays: sums that add, Kaplan–Meier and Nelson–Aalen by hand, and no bias where windows are still open."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba.errors import InvalidInput, NotEnoughData
from nba.playbook.schema import Objectives
from nba.rewards.delay import FEWEST, PRIOR, DelayModel
from nba.rewards.delay_sums import BINS, DelaySums, edges
from nba.rewards.outcomes import Outcomes
from nba.rewards.reward import earned

DAY = 86_400.0
WEEK = 7 * DAY
COST = 0.5
OBJECTIVES = Objectives.model_validate(
    {
        "window": "7d",
        "outcomes": {
            "purchase": {"value": "amount", "cap": 30.0},
            "opened": {"value": 0.5, "window": "2d"},
            "complaint": {"value": -5},
        },
        "clip": [-6, 25],
    }
)
PLAIN = Objectives.model_validate({"window": "7d", "outcomes": {"purchase": {"value": "amount"}}})
Touch = tuple[int, str, float, float]


def known(objectives: Objectives, customers: list[int], touchpoints: list[Touch], as_of: float) -> Outcomes:
    columns = {"customer": pl.Int64, "type": pl.String, "occurred_at": pl.Float64, "value": pl.Float64}
    frame = pl.DataFrame(touchpoints, schema=columns, orient="row")
    return Outcomes.of(objectives, pl.Series(customers, dtype=pl.Int64), frame, as_of)


def sums(
    touchpoints: list[Touch],
    decisions: list[tuple[int, float, bool]],
    as_of: float,
    objectives: Objectives = OBJECTIVES,
) -> DelaySums:
    customers, decided_at, contact = (list(column) for column in zip(*decisions, strict=True))
    outcomes = known(objectives, customers, touchpoints, as_of)
    return DelaySums.of(
        objectives,
        outcomes,
        decided_at=np.array(decided_at),
        cost=np.where(contact, COST, 0.0),
        contact=np.array(contact),
        as_of=as_of,
    )


TOUCHES = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from([*OBJECTIVES.outcomes, "visit"]),
        st.floats(0, 2 * WEEK),
        st.floats(-40, 40),
    ),
    max_size=25,
)
DECISIONS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from([0.0, DAY, WEEK]) | st.floats(0, WEEK), st.booleans()),
    min_size=1,
    max_size=8,
)
MOMENTS = st.sampled_from([WEEK, 2 * WEEK]) | st.floats(WEEK, 2 * WEEK)


@settings(deadline=None)
@given(TOUCHES, DECISIONS, DECISIONS, MOMENTS)
def test_sums_of_two_logs_are_the_sums_of_both_together(
    touchpoints: list[Touch],
    some: list[tuple[int, float, bool]],
    others: list[tuple[int, float, bool]],
    as_of: float,
) -> None:
    parts = sums(touchpoints, some, as_of) + sums(touchpoints, others, as_of)
    whole = sums(touchpoints, some + others, as_of)
    for name in (f.name for f in fields(DelaySums)):
        if name not in ("window", "types"):
            np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-8, err_msg=name)


@settings(deadline=None)
@given(TOUCHES, DECISIONS)
def test_what_arrives_adds_up_to_the_reward_under_caps_and_clip(
    touchpoints: list[Touch], decisions: list[tuple[int, float, bool]]
) -> None:
    found = sums(touchpoints, decisions, 3 * WEEK)
    customers, decided_at, _ = (list(column) for column in zip(*decisions, strict=True))
    outcomes = known(OBJECTIVES, customers, touchpoints, 3 * WEEK)
    assert found.worth.sum() == pytest.approx(
        earned(OBJECTIVES, outcomes, np.array(decided_at)).sum(), abs=1e-7
    )


@settings(deadline=None)
@given(TOUCHES, DECISIONS, MOMENTS)
def test_decisions_count_in_the_bins_that_they_have_lived_through(
    touchpoints: list[Touch], decisions: list[tuple[int, float, bool]], as_of: float
) -> None:
    found, ends = sums(touchpoints, decisions, as_of), edges(WEEK)[1:]
    for kind in (0, 1):
        ages = np.array([as_of - at for _, at, contact in decisions if contact == kind])
        lived = [(ages >= end).sum() if len(ages) else 0 for end in ends]
        np.testing.assert_array_equal(found.lived[kind], lived)
    assert (found.waiting >= found.first).all()
    assert (found.first >= 0).all()
    np.testing.assert_array_equal(found.waiting[:, :, 0], np.repeat(found.lived[:, :1], 3, axis=1))


def test_chances_and_expectations_are_what_a_hand_comes_to() -> None:
    """40 silent decisions lived a week, 20 half of it. A quarter of either buy on day 1; of the 40, 12 more
    buy on day 6, and 3 buy again."""
    half = WEEK / 2
    decisions = [(i, 0.0, False) for i in range(40)] + [(i, half, False) for i in range(40, 60)]
    touchpoints: list[Touch] = [(i, "purchase", DAY, 9.0) for i in range(10)]
    touchpoints += [(i, "purchase", half + DAY, 9.0) for i in range(40, 45)]
    touchpoints += [(i, "purchase", 6 * DAY, 9.0) for i in (0, 1, 2, *range(20, 32))]
    model = DelayModel.of(sums(touchpoints, decisions, WEEK, PLAIN))
    elapsed, silent = np.array([0.0, 2 * DAY, 2 * DAY, WEEK]), np.zeros(4, dtype=np.bool_)
    comes = model.still_comes("purchase", elapsed, silent)
    assert comes.tolist() == pytest.approx([1 - 0.75 * (1 - 12 / 30), 12 / 30, 12 / 30, 0.0])
    reward, _ = model.expected(np.array([0.0, 9 / 4, 9.0, 9.0]), elapsed, silent)
    of_40, last = 10 * 9**2 - 40 * 2.25**2, (19 * 9**2 + 3 * 18**2 - 225**2 / 40) / 40
    slope = (3 * 81 - 40 * 2.25 * 3.375) / (of_40 + PRIOR * last)
    later = 9 * 15 / 40
    assert reward.tolist() == pytest.approx(
        [9 / 4 + later, 9 / 4 + later, 9 + later + slope * (9 - 9 / 4), 9.0]
    )


def test_few_contacts_are_drawn_to_what_silence_does() -> None:
    """100 silent decisions earn 1 each, 50 contacts nothing, as if PRIOR more had earned two thirds."""
    decisions = [(i, 0.0, i >= 100) for i in range(150)]
    touchpoints: list[Touch] = [(i, "purchase", DAY, 1.0) for i in range(100)]
    model = DelayModel.of(sums(touchpoints, decisions, WEEK, PLAIN))
    early = np.array([0.0, -COST])
    rest = model.expected(early, np.zeros(2), np.array([False, True]))[0] - early
    pooled = 100 / 150
    assert rest.tolist() == pytest.approx(
        [(100 + PRIOR * pooled) / (100 + PRIOR), PRIOR * pooled / (50 + PRIOR)]
    )


def test_a_decision_of_just_now_tells_nothing_and_one_whose_window_is_over_counts_whole() -> None:
    decisions = [(i, 0.0, i % 2 == 0) for i in range(FEWEST)]
    touchpoints: list[Touch] = [(i, "purchase", 1.0 + i * DAY / 6, float(i)) for i in range(FEWEST)]
    model = DelayModel.of(sums(touchpoints, decisions, WEEK))
    elapsed = np.linspace(0, 1.5 * WEEK, 50)
    early = np.full(50, 3.0)
    for contact in (False, True):
        reward, weight = model.expected(early, elapsed, np.full(50, contact))
        assert weight[0] == 0.0
        assert (np.diff(weight) >= 0).all()
        assert (weight[elapsed >= WEEK] == 1.0).all()
        assert (reward[elapsed >= WEEK] == 3.0).all()


def test_where_nothing_ever_came_the_weight_is_the_time_gone_by() -> None:
    model = DelayModel.of(sums([], [(i, 0.0, False) for i in range(FEWEST)], WEEK))
    reward, weight = model.expected(np.zeros(1), np.array([WEEK / 4]), np.array([True]))
    assert reward.tolist() == [0.0]
    assert weight.tolist() == pytest.approx([0.25])


def test_too_few_whole_windows_are_no_model() -> None:
    decisions = [(i, 0.0, False) for i in range(FEWEST - 1)] + [(i, 1.0, False) for i in range(500)]
    with pytest.raises(NotEnoughData) as refusal:
        DelayModel.of(sums([], decisions, WEEK))
    assert refusal.value.figures == {"watched": FEWEST - 1, "needed": FEWEST}


def test_sums_of_other_objectives_do_not_add_and_other_types_are_not_known() -> None:
    found = sums([], [(i, 0.0, False) for i in range(FEWEST)], WEEK)
    with pytest.raises(InvalidInput, match="do not add"):
        found + sums([], [(0, 0.0, False)], WEEK, PLAIN)
    with pytest.raises(InvalidInput, match="purchase, opened, complaint"):
        DelayModel.of(found).still_comes("visit", np.zeros(1), np.array([False]))


def simulated(chance: np.random.Generator, n: int) -> dict[str, Any]:
    """Decisions over four weeks, one customer each: some buy more than others, contacts sooner."""
    decided_at, contact = chance.uniform(0, 4 * WEEK, n), chance.random(n) < 0.5
    touchpoints: list[Touch] = []
    for i in range(n):
        purchases = chance.poisson(chance.gamma(1.0, 1.5 if contact[i] else 1.0))
        delays = chance.exponential(DAY if contact[i] else 4 * DAY, purchases)
        amounts = chance.exponential(10.0, purchases)
        touchpoints += [
            (i, "purchase", float(at), float(amount))
            for at, amount in zip(decided_at[i] + delays, amounts, strict=True)
        ]
    return {"decided_at": decided_at, "contact": contact, "touchpoints": touchpoints}


def test_the_mean_of_open_windows_is_estimated_without_the_bias_of_zeros() -> None:
    """Seed 0, 60 logs of 400 decisions cut off at week 3, caps and clip binding. The mean error over logs is
    within 5 standard errors of 0: a right model fails this once in two million; treating as zero is off by
    more than 20."""
    chance, errors, zeros = np.random.default_rng(0), [], []
    for _ in range(60):
        log = simulated(chance, 400)
        before = log["decided_at"] < 3 * WEEK
        customers = np.flatnonzero(before).tolist()
        decided_at, contact = log["decided_at"][before], log["contact"][before]
        final = earned(OBJECTIVES, known(OBJECTIVES, customers, log["touchpoints"], 9 * WEEK), decided_at)
        now = known(OBJECTIVES, customers, log["touchpoints"], 3 * WEEK)
        early, open_ = earned(OBJECTIVES, now, decided_at), decided_at > 2 * WEEK
        model = DelayModel.of(
            sums(log["touchpoints"], list(zip(customers, decided_at, contact, strict=True)), 3 * WEEK)
        )
        cost = np.where(contact, COST, 0.0)
        reward, _ = model.expected(early - cost, 3 * WEEK - decided_at, contact)
        errors.append((reward + cost - final)[open_].mean())
        zeros.append((early - final)[open_].mean())
    stderr = np.std(errors, ddof=1) / np.sqrt(60)
    assert abs(np.mean(errors)) < 5 * stderr
    assert abs(np.mean(zeros)) > 20 * np.std(zeros, ddof=1) / np.sqrt(60)


def test_bins_begin_narrow_and_end_with_the_window() -> None:
    widths = np.diff(edges(WEEK))
    assert len(widths) == BINS
    assert (np.diff(widths) > 0).all()
    assert edges(WEEK)[-1] == WEEK
