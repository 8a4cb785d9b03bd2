"""The funnel between two steps: how many cases that did A go on to B within a window, and after how long.

A case counts from its first A, once, and has reached B where a B comes later in its order, within the window.
Cases whose first A is younger than the window at the table's end are open: not yet known, so not counted.
The interval is Clopper and Pearson's (1934) with the effective sample size n / deff, where deff compares the
variance over clusters with that of independent cases: Korn & Graubard (1998), Survey Methodology 24.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from nba.errors import InvalidInput, NotEnoughData
from nba.journey.events import MICROSECONDS, Bools, Events, Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """From A to B.

    Attributes:
        cases: that did A and could be watched for the whole window; `reached` of them did B in it.
        open: that did A too recently to know.
        share: reached / cases; low, high: its interval at `level`.
        seconds: from the first A to the first B after it, the 25th, 50th and 75th percentile; None where
            nobody got there.
        window: seconds; None for as long as the table goes on.
    """

    start: str
    goal: str
    window: float | None
    cases: int
    reached: int
    open: int
    share: float
    low: float
    high: float
    level: float
    seconds: tuple[float, float, float] | None


def funnel(
    events: Events,
    start: str,
    goal: str,
    window: float | None = None,
    level: float = 0.95,
    end: int | None = None,
) -> Funnel:
    """Follow every case from its first `start` to the first `goal` after it.

    Args:
        window: seconds within which `goal` counts.
        end: microseconds since 1970 until which the table was watched; its last event by default.

    Raises:
        InvalidInput: there is no such step, or the window or level is none.
        NotEnoughData: no case can be watched for the whole window.
    """
    if window is not None and not window > 0:
        raise InvalidInput.of("window", "must be more than nothing, such as 30d")
    if not 0 < level < 1:
        raise InvalidInput.of("level", "must lie between 0 and 1, such as 0.95")
    entered = _first_rows(events, events.step == events.code(start, "from"))
    after = _first_after(events, events.step == events.code(goal, "to"), entered)
    known = entered >= 0
    took = np.where(known & (after >= 0), (events.at[after] - events.at[entered]) / MICROSECONDS, np.inf)
    limit = np.inf if window is None else window
    last = int(events.at.max()) if end is None else end
    watched = known & ((window is None) | ((last - events.at[entered]) / MICROSECONDS >= limit))
    reached = took[watched] < limit if window is not None else np.isfinite(took[watched])
    if not watched.any():
        figures = {"cases": float(known.sum()), "still open": float((known & ~watched).sum())}
        raise NotEnoughData(f"no case from {start!r} could be watched for the whole window", figures)
    low, high = _interval(reached, events.cluster[watched], level)
    times = took[watched][reached]
    return Funnel(
        start=start,
        goal=goal,
        window=window,
        cases=int(watched.sum()),
        reached=int(reached.sum()),
        open=int((known & ~watched).sum()),
        share=float(reached.mean()),
        low=low,
        high=high,
        level=level,
        seconds=None if not len(times) else _quartiles(times),
    )


def _first_rows(events: Events, wanted: Bools) -> Ints:
    """(n,) each case's first row for which the mask holds; -1 for none."""
    rows = np.flatnonzero(wanted)[::-1]
    first = np.full(events.cases, -1, dtype=np.int64)
    first[events.case[rows]] = rows  # the last write, which is the earliest row, stays
    return first


def _first_after(events: Events, wanted: Bools, entered: Ints) -> Ints:
    """(n,) the first row for which the mask holds after the case's row `entered`; -1 for none."""
    begun = entered[events.case]
    return _first_rows(events, wanted & (begun >= 0) & (np.arange(len(events)) > begun))


def _quartiles(times: Floats) -> tuple[float, float, float]:
    low, middle, high = np.quantile(times, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


def _interval(reached: Bools, cluster: Ints, level: float) -> tuple[float, float]:
    n, share = len(reached), float(reached.mean())
    size = n / max(1.0, _design_effect(reached, cluster))
    hits, tail = share * size, (1 - level) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, size - hits + 1))
    high = 1.0 if hits >= size else float(beta.ppf(1 - tail, hits + 1, size - hits))
    return low, high


def _design_effect(reached: Bools, cluster: Ints) -> float:
    """The variance of the share over clusters, over that of n independent cases."""
    share, n = float(reached.mean()), len(reached)
    codes, place = np.unique(cluster, return_inverse=True)
    if len(codes) in (1, n) or share in (0.0, 1.0):
        return 1.0
    errors = np.bincount(place, reached - share)
    between = float((errors**2).sum()) * len(codes) / (len(codes) - 1) / n**2
    return between / (share * (1 - share) / n)
