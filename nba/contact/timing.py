"""When an arm's contact would be sent: now, or the next fitting moment of the customer's own day.

Quiet hours are taken out of each part of the day beforehand, so a part has the local intervals in which
it may send. `now` in quiet hours has no moment at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from nba.playbook.schema import PlaybookSpec, QuietHours, Timing

_MIDNIGHT = 86_400
Interval = tuple[int, int]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Timetable:
    """Per timing of the playbook the local intervals [from, to) in seconds of the day; None is now."""

    parts: tuple[tuple[Interval, ...] | None, ...]
    quiet: tuple[Interval, ...]

    @classmethod
    def of(cls, spec: PlaybookSpec) -> Timetable:
        quiet = _quiet_intervals(spec.contact.quiet_hours)
        return cls(parts=tuple(_part(t, quiet) for t in spec.timings.values()), quiet=quiet)

    def send_at(self, now: Floats, zones: Sequence[str]) -> Floats:
        """(n,) epoch seconds and time zone names → (n, timings) epoch seconds; NaN where none fits.

        Rows of the same moment and zone are computed once.
        """
        moments: dict[tuple[float, str], int] = {}
        row = np.array(
            [moments.setdefault(key, len(moments)) for key in zip(now.tolist(), zones, strict=True)]
        )
        table = np.empty((len(moments), len(self.parts)))
        for i, (moment, zone) in enumerate(moments):
            table[i] = self._row(moment, zone)
        return table[row.astype(np.int64)]

    def _row(self, moment: float, zone_name: str) -> list[float]:
        zone = zone_of(zone_name)
        local = datetime.fromtimestamp(moment, zone)
        second = local.hour * 3600 + local.minute * 60 + local.second
        return [self._moment(part, moment, local, second, zone) for part in self.parts]

    def _moment(
        self, part: tuple[Interval, ...] | None, moment: float, local: datetime, second: int, zone: ZoneInfo
    ) -> float:
        if part is None:
            return float("nan") if _inside(second, self.quiet) else moment
        if _inside(second, part):
            return moment
        for days in range(3):
            day = local.date() + timedelta(days=days)
            starts = (_local_to_utc(day, start, zone) for start, _ in part)
            later = [start for start in starts if start > moment]
            if later:
                return min(later)
        return float("nan")

    def quiet_until(self, moment: float, zone_name: str) -> float | None:
        """The end of the quiet hours that `moment` lies in, or None where it lies in none."""
        zone = zone_of(zone_name)
        local = datetime.fromtimestamp(moment, zone)
        second = local.hour * 3600 + local.minute * 60 + local.second
        if not _inside(second, self.quiet):
            return None
        ends = [
            _local_to_utc(local.date() + timedelta(days=d), e, zone) for d in (0, 1) for _, e in self.quiet
        ]
        open_again = [end for end in ends if end > moment and not self._quiet_at(end, zone)]
        return min(open_again, default=None)

    def _quiet_at(self, moment: float, zone: ZoneInfo) -> bool:
        local = datetime.fromtimestamp(moment, zone)
        return _inside(local.hour * 3600 + local.minute * 60 + local.second, self.quiet)


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


def _local_to_utc(day: date, second: int, zone: ZoneInfo) -> float:
    """Local wall time → epoch seconds. A wall time that the clocks skip is the moment after the gap."""
    if second >= _MIDNIGHT:
        day, second = day + timedelta(days=1), second - _MIDNIGHT
    wall = datetime.combine(day, time(second // 3600, second // 60 % 60, second % 60), zone)
    return wall.astimezone(UTC).timestamp()


def _quiet_intervals(quiet: QuietHours | None) -> tuple[Interval, ...]:
    if quiet is None or quiet.start == quiet.end:
        return ()
    if quiet.start < quiet.end:
        return ((quiet.start, quiet.end),)
    spans = ((0, quiet.end), (quiet.start, _MIDNIGHT))
    return tuple(span for span in spans if span[0] < span[1])


def _part(timing: Timing, quiet: tuple[Interval, ...]) -> tuple[Interval, ...] | None:
    if timing.start is None or timing.end is None:
        return None
    intervals: list[Interval] = [(timing.start, timing.end)]
    for low, high in quiet:
        pieces = [piece for a, b in intervals for piece in ((a, min(b, low)), (max(a, high), b))]
        intervals = [(a, b) for a, b in pieces if a < b]
    return tuple(intervals)


def _inside(second: int, intervals: tuple[Interval, ...]) -> bool:
    return any(low <= second < high for low, high in intervals)
