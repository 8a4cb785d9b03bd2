"""The measure of mapping journeys runs, and both sides count the same."""

from __future__ import annotations

from nba.journey.bench import _frame, _pandas, journey_map
from nba.journey.events import Events
from nba.journey.transitions import edges


def test_the_measure_and_its_baseline_count_the_same() -> None:
    frame = _frame(5_000)
    ours = edges(Events.of(frame))
    counts = {(a, b): n for a, b, n in ours.select("from", "to", "count").iter_rows()}
    assert _pandas(frame.to_pandas())["size"].to_dict() == counts


def test_the_measure_is_one_line_of_bench() -> None:
    line = journey_map(touchpoints=20_000)
    assert {"name", "value", "unit", "baseline", "ratio"} <= set(line)
    assert line["name"] == "journey.map"
