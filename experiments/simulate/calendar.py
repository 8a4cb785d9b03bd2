"""Days and hours of the world: when its days begin, when arms are sent, when customers are about.

A world day runs from the decision moment, noon UTC, to the next one, so that a reward window of seven days
from a decision holds exactly seven world days. Times are epoch seconds UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from experiments.simulate.commerce import Commerce, Floats, Ints

EPOCH: Final = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()  # day 0, a Monday
DAY: Final = 86_400.0
HOUR: Final = 3_600.0


def day_start(day: int) -> float:
    """The first second of a world day, its decision moment. History has negative days."""
    return EPOCH + day * DAY


def local_hours(moments: Floats, timezone: str) -> Floats:
    """(n,) hour of the customer's day, fractions included, of epoch seconds (n,)."""
    local = pl.Series((moments * 1e6).astype(np.int64)).cast(pl.Datetime("us", "UTC"))
    clock = local.dt.convert_time_zone(timezone).dt.replace_time_zone(None)
    return (clock.dt.epoch("us").to_numpy() / 1e6) % DAY / HOUR


def timing_of(commerce: Commerce, moments: Floats) -> Ints:
    """(n,) the timing in whose window each moment falls; the first open timing outside of all windows."""
    hours = local_hours(moments, commerce.timezone)
    found = np.full(len(moments), commerce.windows.index(None))
    for index, window in enumerate(commerce.windows):
        if window is not None:
            found[(hours >= window[0]) & (hours < window[1])] = index
    return found


def send_times(commerce: Commerce, day: int, arm: Ints, spread: Floats) -> Floats:
    """(n,) when each arm goes out on `day`, `spread` (n,) in [0, 1) of the way through its window."""
    begin, length = np.empty(len(commerce.windows)), np.empty(len(commerce.windows))
    for index, window in enumerate(commerce.windows):
        begin[index] = day_start(day) if window is None else _next(commerce, day, window[0])
        length[index] = 60.0 if window is None else (window[1] - window[0]) * HOUR
    timing = commerce.timing[arm]
    return begin[timing] + spread * length[timing]


def about(day: int, lateness: Floats, u: Floats) -> Floats:
    """(n,) when customers are about on their own: 13 to 22 h local with odds `lateness`, else 7 to 13.

    `u` is uniform (n,). Evening people show up in the evening, so behaviour tells of their hours.
    """
    late = u < lateness
    offset = np.where(late, u / lateness * 9.0, 18.0 + (u - lateness) / (1 - lateness) * 6.0)
    return day_start(day) + offset * HOUR


def _next(commerce: Commerce, day: int, hour: float) -> float:
    """The first time at or after the day's start when the local clock shows `hour`."""
    zone = ZoneInfo(commerce.timezone)
    start = datetime.fromtimestamp(day_start(day), UTC).astimezone(zone)
    clock = time(int(hour), round(hour % 1 * 60), tzinfo=zone)
    moment = datetime.combine(start.date(), clock)
    if moment < start:
        moment = datetime.combine(start.date() + timedelta(days=1), clock)
    return moment.timestamp()
