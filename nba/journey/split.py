"""Journeys split into parts: by what a case is or first did, or by when it began. A case is in one part."""

from __future__ import annotations

from typing import Literal, get_args

import polars as pl

from nba.errors import InvalidInput
from nba.journey.events import Events

Period = Literal["day", "week", "month", "quarter", "year"]
PERIODS: tuple[Period, ...] = get_args(Period)
MOST_PARTS = 12
OTHERS, UNKNOWN = "(others)", "(not known)"
_EVERY = {"day": "1d", "week": "1w", "month": "1mo", "quarter": "1q", "year": "1y"}
_WRITTEN = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m", "year": "%Y"}


def by_part(events: Events) -> list[tuple[str, Events]]:
    """The parts by the cases' `part`, the largest first; beyond MOST_PARTS they go together as OTHERS.

    Raises:
        InvalidInput: the events know no parts.
    """
    if events.part is None:
        raise InvalidInput.of("split", "these events have nothing to be split by")
    parts = events.part.fill_null(UNKNOWN)
    counts = parts.alias("part").value_counts(sort=True).sort("count", "part", descending=[True, False])
    kept = counts["part"].head(MOST_PARTS)
    named = pl.select(pl.when(parts.is_in(kept.implode())).then(parts).otherwise(pl.lit(OTHERS))).to_series()
    labels = [*kept, *([OTHERS] if counts.height > MOST_PARTS else [])]
    return [(label, events.of_cases((named == label).to_numpy())) for label in labels]


def by_period(events: Events, period: str) -> list[tuple[str, Events]]:
    """The parts by the period (UTC) of the cases' first events, in order of time; the latest MOST_PARTS, and
    all before together as OTHERS.

    Raises:
        InvalidInput: there is no such period.
    """
    if period not in PERIODS:
        raise InvalidInput.of("period", f"is one of {', '.join(PERIODS)}")
    begun = pl.Series(events.at[events.starts[:-1]]).cast(pl.Datetime("us")).dt.truncate(_EVERY[period])
    order = begun.unique().sort()
    parts = []
    if len(order) > MOST_PARTS:
        parts.append((OTHERS, events.of_cases((begun < order[-MOST_PARTS]).to_numpy())))
    latest = order.tail(MOST_PARTS)
    parts += [(_label(start, period), events.of_cases((begun == start).to_numpy())) for start in latest]
    return parts


def _label(start: object, period: str) -> str:
    moment = pl.Series([start])
    if period == "quarter":
        return f"{moment.dt.year()[0]}-Q{moment.dt.quarter()[0]}"
    return str(moment.dt.strftime(_WRITTEN[period])[0])
