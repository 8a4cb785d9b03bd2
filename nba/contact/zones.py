"""Time zones by name, and the calendar of a zone: which day, week or month a moment belongs to.

Moments are taken at their whole second, so that a day never starts a rounding error early.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from nba.playbook.checks import zone_names

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Period = Literal["day", "week", "month"]
NO_DAY = -1_000_000  # of NaN; some thousand years before any moment
_EPOCH = date(1970, 1, 1).toordinal()


def is_zone(name: str) -> bool:
    """Whether `name` is a time zone: `Europe/Amsterdam`, not `localtime`."""
    return name in zone_names()


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """The zone, or UTC for a name that no longer exists: names are checked when they come in."""
    try:
        return ZoneInfo(name if is_zone(name) else "UTC")
    except (ZoneInfoNotFoundError, OSError):
        return ZoneInfo("UTC")


@lru_cache(maxsize=16_384)
def local_day(second: int, zone_name: str) -> int:
    """The date on the wall at a whole second, in days since 1970-01-01."""
    return datetime.fromtimestamp(second, zone_of(zone_name)).toordinal() - _EPOCH


def local_days(moments: Floats, zones: Sequence[str]) -> Ints:
    """(n, t) epoch seconds and n zone names → (n, t) days since 1970-01-01; NO_DAY for NaN."""
    days = [
        [local_day(math.floor(at), zone) if at == at else NO_DAY for at in row]
        for row, zone in zip(moments.tolist(), zones, strict=True)
    ]
    return np.array(days, dtype=np.int64).reshape(moments.shape)


def period_of(per: Period, days: Ints) -> Ints:
    """Days since 1970-01-01 → the number of their day, week (from Monday) or month."""
    if per == "day":
        return days
    if per == "week":  # the epoch was a Thursday
        return (days + 3) // 7
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def next_period(per: Period, moment: float, zone_name: str) -> float:
    """The first moment of the local day, week or month after the one that holds `moment`."""
    today = date.fromordinal(local_day(math.floor(moment), zone_name) + _EPOCH)
    if per == "day":
        first = today + timedelta(days=1)
    elif per == "week":
        first = today + timedelta(days=7 - today.weekday())
    else:
        first = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    return start_of(first.toordinal() - _EPOCH, zone_name)


def start_of(day: int, zone_name: str) -> float:
    """The first moment of a local day, given in days since 1970-01-01; where the zone skips it, of the next.

    A midnight that the clocks skip is, taken by the clock before, the moment at which they skip it.
    """
    first = date.fromordinal(day + _EPOCH)
    return datetime(first.year, first.month, first.day, tzinfo=zone_of(zone_name)).timestamp()


@lru_cache(maxsize=1024)
def day_name(day: int) -> str:
    """`2026-11-22` of a day since 1970-01-01."""
    return date.fromordinal(day + _EPOCH).isoformat()


@lru_cache(maxsize=1024)
def day_number(name: str) -> int:
    """The inverse of `day_name`. Raises ValueError for what is no date."""
    return date.fromisoformat(name).toordinal() - _EPOCH
