"""A case is in one part, and the parts are all cases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from nba.errors import InvalidInput
from nba.journey.funnel import Funnel
from nba.journey.map import Asked, as_json, draw_map, frames
from nba.journey.split import MOST_PARTS, OTHERS, UNKNOWN, by_part, by_period
from tests.journey.tables import Row, events, some_rows


@settings(max_examples=30)
@given(some_rows)
def test_parts_add_up_to_the_whole(rows: list[Row]) -> None:
    whole = events(rows, part=[step if step != "S" else None for _, step, _ in rows])
    for parts in (by_part(whole), by_period(whole, "day")):
        assert sum(part.cases for _, part in parts) == whole.cases
        assert sum(len(part) for _, part in parts) == len(whole)
        found = draw_map(whole, Asked(), split_by="x", parts=parts)
        edges = frames(found)["edges"]
        told = edges.filter(edges["part"].is_not_null())["count"].sum()
        assert told == edges.filter(edges["part"].is_null())["count"].sum()


def test_a_case_is_where_its_first_known_value_is() -> None:
    rows = [("a", "P", 2), ("a", "P", 1), ("a", "P", 3), ("b", "P", 1)]
    parts = dict(by_part(events(rows, part=["late", None, "later", None])))
    assert {name: part.cases for name, part in parts.items()} == {"late": 1, UNKNOWN: 1}


def test_many_parts_are_cut_to_the_largest_and_the_rest_goes_together() -> None:
    rows = [(f"c{i}", "P", i) for i in range(40)]
    parts = by_part(events(rows, part=[f"part {i // 2:02d}" for i in range(40)]))
    assert len(parts) == MOST_PARTS + 1
    assert parts[-1][0] == OTHERS
    assert sum(part.cases for _, part in parts) == 40


def test_periods_are_in_order_of_time_and_named_by_their_length() -> None:
    day = 86_400
    rows = [("a", "P", 0), ("b", "P", 31 * day), ("c", "P", 100 * day), ("c", "P", 0)]
    assert [name for name, _ in by_period(events(rows), "month")] == ["1970-01", "1970-02"]
    assert [name for name, _ in by_period(events(rows), "quarter")] == ["1970-Q1"]
    assert [name for name, _ in by_period(events(rows), "week")] == ["1970-W01", "1970-W05"]
    with pytest.raises(InvalidInput, match="quarter"):
        by_period(events(rows), "fortnight")


def test_without_anything_to_split_by_it_says_so() -> None:
    with pytest.raises(InvalidInput, match="split"):
        by_part(events([("a", "P", 1)]))


def test_a_part_that_lacks_the_funnels_step_says_what_is_missing() -> None:
    rows = [("a", "P", 1), ("a", "Q", 2), ("b", "Q", 1)]
    whole = events(rows, part=["x", "x", "y"])
    found = as_json(draw_map(whole, Asked(start="P", end="Q"), split_by="part", parts=by_part(whole)))
    told = {part["part"]: part["funnel"] for part in found["split"]["parts"]}
    assert told["x"]["share"] == 1.0
    assert "no case from 'P'" in told["y"]["missing"]


def test_what_was_watched_longer_than_its_last_event_is_known_longer() -> None:
    """The last start is 1 s before the last event; watched until 100 s it is no longer open."""
    rows = [("a", "P", 1), ("a", "Q", 2), ("b", "P", 9), ("c", "Q", 10)]
    asked = Asked(start="P", end="Q", window=5.0)
    young, old = (draw_map(events(rows), replace(asked, until=until)).funnel for until in (None, 100.0))
    assert isinstance(young, Funnel)
    assert isinstance(old, Funnel)
    assert (young.cases, young.open, old.cases, old.open) == (1, 1, 2, 0)
