"""Small event tables, by hand and by chance."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from hypothesis import strategies as st

from nba.journey.events import Events

Row = tuple[str, str, int]


def table(rows: Sequence[Row], **more: Sequence[object]) -> pl.DataFrame:
    """Rows of (case, step, seconds), and further columns."""
    frame = pl.DataFrame(rows, schema={"case": pl.String, "step": pl.String, "time": pl.Int64}, orient="row")
    times = pl.from_epoch("time", "s").dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    return frame.with_columns(times.alias("time"), *(pl.Series(name, cells) for name, cells in more.items()))


def events(rows: Sequence[Row], **more: Sequence[object]) -> Events:
    return Events.of(table(rows, **more))


some_rows = st.lists(
    st.tuples(st.sampled_from(["a", "b", "NA", "c d"]), st.sampled_from("PQRS"), st.integers(0, 9)),
    min_size=1,
    max_size=40,
)


def journeys(rows: Sequence[Row]) -> dict[str, list[tuple[str, int]]]:
    """The reference, in plain Python: each case's (step, seconds), by time, equal times as they came."""
    found: dict[str, list[tuple[str, int]]] = {}
    for case, step, at in rows:
        found.setdefault(case, []).append((step, at))
    return {case: sorted(steps, key=lambda item: item[1]) for case, steps in found.items()}
