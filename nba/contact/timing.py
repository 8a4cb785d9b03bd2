"""When an arm's contact would be sent: now, or the next fitting moment of the customer's own day.

Each timing has local intervals in which it may send, quiet hours taken out beforehand. What the clocks
skip or repeat is part of no plan: the question is always what the customer's clock shows at a moment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from nba.playbook.hours import DAY_SECONDS, Interval, hours_of, open_hours
from nba.playbook.schema import PlaybookSpec

Floats = NDArray[np.float64]
Intervals = tuple[Interval, ...]
_MOST_CHANGES = 8  # of a zone's offset within a few days; Morocco has had two a month


@dataclass(frozen=True)
class Timetable:
    """The playbook's timings.

    Attributes:
        hours: of each timing the local intervals [from, to) in which it sends, in seconds of the day.
        waits: of each timing whether it waits for its hours, as a part of the day does; `now` does not.
        open: the day without its quiet hours.
    """

    hours: tuple[Intervals, ...]
    waits: tuple[bool, ...]
    open: Intervals

    @classmethod
    def of(cls, spec: PlaybookSpec) -> Timetable:
        timings = tuple(spec.timings.values())
        hours = tuple(hours_of(timing, spec) for timing in timings)
        waits = tuple(timing.start is not None for timing in timings)
        return cls(hours=hours, waits=waits, open=open_hours(spec))

    def send_at(self, now: Floats, zones: Sequence[str]) -> Floats:
        """(n,) epoch seconds and time zone names → (n, timings) epoch seconds; NaN where none fits.

        Rows of the same moment and zone are computed once.
        """
        moments: dict[tuple[float, str], int] = {}
        row = [moments.setdefault(key, len(moments)) for key in zip(now.tolist(), zones, strict=True)]
        table = np.empty((len(moments), len(self.hours)))
        for i, (moment, zone) in enumerate(moments):
            table[i] = self._row(moment, zone_of(zone))
        return table[np.array(row, dtype=np.int64)]

    def _row(self, moment: float, zone: ZoneInfo) -> list[float]:
        fits = [first_within(hours, moment, zone) for hours in self.hours]
        return [
            fit if fit is not None and (waits or fit == moment) else math.nan
            for fit, waits in zip(fits, self.waits, strict=True)
        ]

    def opens(self, moment: float, zone_name: str) -> float | None:
        """The first moment from `moment` on outside the quiet hours."""
        return first_within(self.open, moment, zone_of(zone_name))


def first_within(hours: Intervals, moment: float, zone: ZoneInfo) -> float | None:
    """The first moment from `moment` on at which the local clock is inside `hours`; None where it never is.

    The local clock runs at one pace but for the moments when its offset changes, so it is followed from
    one such moment to the next.
    """
    at = moment
    for _ in range(_MOST_CHANGES):
        whole = math.floor(at)
        second, offset = _clock(whole, zone)
        if any(low <= second < high for low, high in hours):
            return at
        if not hours:
            return None
        opens = whole + min((low - second) % DAY_SECONDS for low, _ in hours)
        if _clock(opens, zone)[1] == offset:
            return float(opens)
        at = float(_change(whole, opens, zone))
    return None


def _clock(moment: int, zone: ZoneInfo) -> tuple[int, float]:
    """The local second of the day, and the offset from UTC."""
    local = datetime.fromtimestamp(moment, zone)
    offset = local.utcoffset()
    second = local.hour * 3600 + local.minute * 60 + local.second
    return second, offset.total_seconds() if offset is not None else 0.0


def _change(low: int, high: int, zone: ZoneInfo) -> int:
    """The first whole second in (low, high] of another offset than at `low`, which `high` has."""
    before = _clock(low, zone)[1]
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _clock(middle, zone)[1] == before else (low, middle)
    return high


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """The zone, or UTC for a name that no longer exists: names are checked when they come in."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def local_clock(now: Floats, zones: Sequence[str]) -> tuple[Floats, Floats]:
    """(n,) moments → (n,) local hour of the day, 0 ≤ h < 24 with its fraction, and weekday, Monday 0."""
    known: dict[tuple[float, str], tuple[float, float]] = {}
    rows = []
    for key in zip(now.tolist(), zones, strict=True):
        if key not in known:
            local = datetime.fromtimestamp(key[0], zone_of(key[1]))
            known[key] = (local.hour + local.minute / 60 + local.second / 3600, float(local.weekday()))
        rows.append(known[key])
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 2)
    return table[:, 0], table[:, 1]
