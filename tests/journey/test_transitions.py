"""What follows what, against plain Python; and what a map's shares add up to."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from statistics import median

import pytest
from hypothesis import given

from nba.errors import InvalidInput, NotEnoughData
from nba.journey import transitions
from nba.journey.events import MOST_STEPS
from tests.journey.tables import Row, events, journeys, some_rows, table


@given(some_rows)
def test_transitions_are_what_comes_next_in_the_same_case(rows: list[Row]) -> None:
    found = transitions.edges(events(rows))
    gaps: dict[tuple[str, str], list[int]] = {}
    for steps in journeys(rows).values():
        for (a, start), (b, end) in pairwise(steps):
            gaps.setdefault((a, b), []).append(end - start)
    told = {
        (a, b): (n, m) for a, b, n, m in found.select("from", "to", "count", "median_seconds").iter_rows()
    }
    assert told == {pair: (len(times), median(times)) for pair, times in gaps.items()}


@given(some_rows)
def test_steps_count_events_cases_starts_and_ends(rows: list[Row]) -> None:
    reference = journeys(rows)
    assert {row["step"]: row["count"] for row in transitions.steps(events(rows)).to_dicts()} == Counter(
        step for _, step, _ in rows
    )
    for row in transitions.steps(events(rows)).to_dicts():
        name = row["step"]
        assert row["starts"] == sum(steps[0][0] == name for steps in reference.values())
        assert row["ends"] == sum(steps[-1][0] == name for steps in reference.values())
        assert row["cases"] == sum(name in dict(steps) for steps in reference.values())


@given(some_rows)
def test_what_goes_on_and_what_ends_are_all_of_a_steps_events(rows: list[Row]) -> None:
    found = events(rows)
    onward: Counter[str] = Counter()
    for a, share in transitions.edges(found).select("from", "share").iter_rows():
        onward[a] += share
    for step, drop_off in transitions.steps(found).select("step", "drop_off").iter_rows():
        assert onward[step] + drop_off == pytest.approx(1.0)


@given(some_rows)
def test_variants_are_whole_sequences_and_add_up_to_the_cases(rows: list[Row]) -> None:
    found = transitions.variants(events(rows))
    reference = Counter(tuple(step for step, _ in steps) for steps in journeys(rows).values())
    assert {tuple(steps): n for steps, n in found.select("steps", "count").iter_rows()} == reference
    counts = found["count"].to_list()
    assert counts == sorted(counts, reverse=True)


def test_equal_times_keep_the_order_of_the_file() -> None:
    rows = [("a", "second", 5), ("a", "third", 5), ("a", "first", 1), ("a", "fourth", 5)]
    assert transitions.variants(events(rows))["steps"].to_list() == [["first", "second", "third", "fourth"]]


def test_a_case_that_is_named_na_is_a_case_and_one_without_a_name_is_left_out_and_counted() -> None:
    found = events([("NA", "P", 1), ("", "Q", 2), ("a", "", 3)])
    assert found.cases == 1
    assert found.left_out == {"no case": 1, "no step": 1}


def test_one_event_is_a_map_without_transitions() -> None:
    found = events([("a", "P", 1)])
    assert transitions.edges(found).is_empty()
    assert transitions.variants(found)["count"].to_list() == [1]


def test_no_event_at_all_and_too_many_steps_are_refused() -> None:
    with pytest.raises(NotEnoughData, match="no event"):
        events([("", "P", 1)])
    with pytest.raises(InvalidInput, match="an id"):
        events([("a", f"step {i}", i) for i in range(MOST_STEPS + 1)])


def test_values_that_are_no_numbers_count_as_nothing_and_endless_ones_are_bounded() -> None:
    found = events([("a", "P", 1), ("a", "P", 2), ("a", "P", 3)], value=[None, float("nan"), float("inf")])
    assert found.value is not None
    assert found.value.tolist() == [0.0, 0.0, 1e12]


def test_a_table_in_any_zone_and_unit_gives_the_same_times() -> None:
    frame = table([("a", "P", 1), ("a", "Q", 90)])
    from nba.journey.events import Events

    for kind in ("ms", "us", "ns"):
        times = frame["time"].dt.cast_time_unit(kind).dt.convert_time_zone("Asia/Tokyo")
        assert Events.of(frame.with_columns(times)).gap.tolist()[0] == 89.0
