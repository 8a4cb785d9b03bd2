"""The funnel against plain Python, what is too recent to know, and its interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba.errors import InvalidInput, NotEnoughData
from nba.journey.funnel import funnel
from tests.journey.tables import Row, events, journeys, some_rows


@given(some_rows, st.sampled_from("PQRS"), st.sampled_from("PQRS"), st.one_of(st.none(), st.integers(1, 9)))
def test_a_case_counts_from_its_first_start_and_reaches_a_later_goal_in_time(
    rows: list[Row], start: str, goal: str, window: int | None
) -> None:
    steps = {step for _, step, _ in rows}
    if start not in steps or goal not in steps:
        with pytest.raises(InvalidInput, match="there is no step"):
            funnel(events(rows), start, goal)
        return
    end = max(at for _, _, at in rows)
    cases = reached = open_ = 0
    for journey in journeys(rows).values():
        entered = next((i for i, (step, _) in enumerate(journey) if step == start), None)
        if entered is None:
            continue
        at = journey[entered][1]
        if window is not None and end - at < window:
            open_ += 1
            continue
        after = [t - at for step, t in journey[entered + 1 :] if step == goal]
        cases += 1
        reached += bool(after) and (window is None or after[0] < window)
    if not cases:
        with pytest.raises(NotEnoughData, match="whole window"):
            funnel(events(rows), start, goal, window)
        return
    found = funnel(events(rows), start, goal, window)
    assert (found.cases, found.reached, found.open) == (cases, reached, open_)
    assert found.low <= found.share <= found.high


def test_the_interval_is_that_of_clopper_and_pearson() -> None:
    """3 of 10: [0.0667, 0.6525], as every table has it."""
    rows = [(f"c{i}", step, at) for i in range(10) for at, step in enumerate("PQ" if i < 3 else "P")]
    found = funnel(events(rows), "P", "Q")
    assert (found.low, found.high) == pytest.approx((0.06674, 0.65245), abs=1e-4)
    assert found.seconds == (1.0, 1.0, 1.0)


def test_cases_of_one_customer_that_behave_alike_make_the_interval_wider() -> None:
    """100 customers with 5 cases each that all reach the goal or all don't: as uncertain as 100 cases."""
    happy = np.random.default_rng(0).random(100) < 0.4
    rows, cluster = [], []
    for i in range(500):
        for at, step in enumerate("PQ" if happy[i // 5] else "P"):
            rows.append((f"c{i}", step, at))
            cluster.append(f"customer {i // 5}")
    alone, together = funnel(events(rows), "P", "Q"), funnel(events(rows, cluster=cluster), "P", "Q")
    assert together.share == alone.share
    ratio = (together.high - together.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(np.sqrt(5), rel=0.05)


def test_a_window_or_level_that_is_none_is_refused() -> None:
    some = events([("a", "P", 0), ("a", "Q", 1)])
    with pytest.raises(InvalidInput, match="window"):
        funnel(some, "P", "Q", 0.0)
    with pytest.raises(InvalidInput, match="level"):
        funnel(some, "P", "Q", level=1.0)
    with pytest.raises(InvalidInput, match="did you mean 'Purchase'"):
        funnel(events([("a", "Purchase", 0)]), "purchase", "Purchase")
