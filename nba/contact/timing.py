"""When an arm's contact would be sent: now, or the next fitting moment of the customer's own day.

Each timing has local intervals in which it may send, quiet hours taken out beforehand. What the clocks
skip or repeat is part of no plan: the question is always what the customer's clock shows at a moment.
What zones, local days and weeks are stands in `zones.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from nba.contact.zones import is_zone as is_zone
from nba.contact.zones import zone_of
from nba.playbook.hours import DAY_SECONDS, Interval, hours_of, open_hours
from nba.playbook.schema import PlaybookSpec

Floats = NDArray[np.float64]
Intervals = tuple[Interval, ...]
_ALWAYS: Intervals = ((0, DAY_SECONDS),)
_HOUR = 3_600
_MOST_CHANGES = 8  # of a zone's offset within a few days; Morocco has had two a month
_MOST_STRETCHES = 8_192  # kept in memory; a batch of now needs one a zone
_AT_ONCE = -math.inf  # stands for whatever moment is asked about


@dataclass(frozen=True, slots=True, eq=False)
class _Stretch:
    """Whole seconds [since, until) in which the clock of a zone passes no edge of any timing.

    `then` (timings,) is when each timing sends: −∞ at once, NaN never, else a moment at `until` or later.
    """

    since: int
    until: int
    then: tuple[float, ...]


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
    _stretches: dict[tuple[str, int], _Stretch] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def of(cls, spec: PlaybookSpec) -> Timetable:
        """Shared between the playbooks that have the same hours."""
        timings = tuple(spec.timings.values())
        hours = tuple(hours_of(timing, spec) for timing in timings)
        return _timetable(hours, tuple(timing.start is not None for timing in timings), open_hours(spec))

    def send_at(self, now: Floats, zones: Sequence[str]) -> Floats:
        """(n,) epoch seconds and time zone names → (n, timings) epoch seconds; NaN where none fits."""
        distinct: dict[_Stretch, int] = {}
        known, place = self._stretches, []
        for moment, zone in zip(now.tolist(), zones, strict=True):
            stretch = known.get((zone, int(moment // _HOUR)))
            if stretch is None or not stretch.since <= moment < stretch.until:
                stretch = self._learn(moment, zone)
            place.append(distinct.setdefault(stretch, len(distinct)))
        then = np.array([stretch.then for stretch in distinct], dtype=np.float64).reshape(-1, len(self.hours))
        if len(distinct) != 1:  # one row is the row of all
            then = then[place]
        moments: Floats = np.maximum(then, now[:, None])
        return moments

    def opens(self, moment: float, zone_name: str) -> float | None:
        """The first moment from `moment` on outside the quiet hours."""
        return moment if self.open == _ALWAYS else first_within(self.open, moment, zone_of(zone_name))

    def edges(self, moment: float, zone_name: str) -> list[float]:
        """The moments in the day after `moment` at which a timing opens or closes."""
        edges, at = [], moment
        while at < moment + DAY_SECONDS:
            stretch = self._stretches.get((zone_name, int(at // _HOUR)))
            if stretch is None or not stretch.since <= at < stretch.until:
                stretch = self._learn(at, zone_name)
            at = float(stretch.until)
            edges.append(at)
        return edges

    def _learn(self, moment: float, zone_name: str) -> _Stretch:
        """The stretch around a moment, computed and kept: exact, so it matters to nobody who asked first."""
        if len(self._stretches) >= _MOST_STRETCHES:
            self._stretches.clear()
        zone = zone_of(zone_name)
        since, until = self._bounds(math.floor(moment), zone)
        then = tuple(
            self._then(hours, waits, moment, zone)
            for hours, waits in zip(self.hours, self.waits, strict=True)
        )
        stretch = _Stretch(since, until, then)
        self._stretches[zone_name, int(moment // _HOUR)] = stretch
        return stretch

    def _then(self, hours: Intervals, waits: bool, moment: float, zone: ZoneInfo) -> float:
        fit = first_within(hours, moment, zone)
        if fit == moment:
            return _AT_ONCE
        return fit if waits and fit is not None else math.nan

    def _bounds(self, whole: int, zone: ZoneInfo) -> tuple[int, int]:
        """From the last edge of any timing, or change of the clocks, to the next one.

        Between an edge and the next lies at most a day, and no zone has changed twice in three days.
        """
        second, offset = _clock(whole, zone)
        edges = {edge for hours in self.hours for interval in hours for edge in interval} or {0}
        since = whole - min((second - edge) % DAY_SECONDS for edge in edges)
        until = whole + min((edge - second - 1) % DAY_SECONDS + 1 for edge in edges)
        if _clock(since, zone)[1] != offset:
            since = _change(since, whole, zone)
        if _clock(until, zone)[1] != offset:
            until = _change(whole, until, zone)
        return since, until


@lru_cache(maxsize=64)
def _timetable(hours: tuple[Intervals, ...], waits: tuple[bool, ...], open_: Intervals) -> Timetable:
    return Timetable(hours=hours, waits=waits, open=open_)


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
