"""Where journeys hurt: steps where cases stop, and transitions that keep them waiting, by lost value.

The value after an event is what the case still brought: the values of its later events, or, with a goal, 1
where it reached the goal later; with neither, 1 where it went on at all. Visits from which nothing more is
to be won, the goal's own and those after it, are no part of this.

    pain point   a step; the hit is that the case stops: no further event (or none within `patience`)
    bottleneck   a transition; the hit is a slow crossing, longer than three in four of its own crossings
    lost value   of a pain point: stops beyond those of comparable cases × (value after going on, as far
                 into the case as those who stop − after stopping); of a bottleneck: slow crossings ×
                 (value after quick ones as far in − after slow ones)
    waited       of a bottleneck: seconds of its slow crossings beyond its own median

The steps that journeys are for anyway, `ends`, are not judged: to stop there is no loss. Along a transition
that a case crosses again, what follows is counted until then, so that nothing is counted twice.

Comparable are cases as far into their journey at the other steps; `nba.journey.excess` has the formula and
how intervals are made. Those of one list hold together. Lost value is what goes along with stopping or
waiting here; it claims no cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from nba.errors import InvalidInput
from nba.journey.events import MICROSECONDS, Bools, Events, Floats, Ints
from nba.journey.excess import LEAST, Excesses, Units, excesses
from nba.journey.jackknife import Spread

SLOW = 0.75  # the share of a transition's crossings that are not slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A total over the table, and its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pain:
    """One place, judged.

    Attributes:
        start: the step, or where the transition begins; goal: where it ends, None for a step.
        units: visits or crossings; hits: how many stopped or were slow; usual: how many would have stopped,
            as often as comparable ones elsewhere; 0 for a transition.
        without, with_hit: mean value after units without a hit, as far into their case as those with one,
            and after these; None where there are none.
        lost: value; waited: seconds, None for a step.
    """

    start: str
    goal: str | None
    units: int
    hits: int
    usual: float
    without: float | None
    with_hit: float | None
    lost: Total
    waited: Total | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pains:
    """All places judged, the worst first.

    Attributes:
        unit: what value is counted in.
        unjudged: steps where cases stop and so few go on that what going on is worth is not known.
        ends: steps that are not judged since journeys are for them.
    """

    points: tuple[Pain, ...]
    bottlenecks: tuple[Pain, ...]
    unit: str
    level: float
    unjudged: tuple[str, ...]
    ends: tuple[str, ...] = ()


def pains(
    events: Events,
    goal: str | None = None,
    patience: float | None = None,
    level: float = 0.95,
    *,
    end: int | None = None,
    ends: Sequence[str] = (),
) -> Pains:
    """Judge every step and transition that enough cases come by.

    Args:
        goal: the step that journeys are for.
        patience: seconds without an event after which a case has stopped; visits younger than that at the
            table's end are not yet known, and left out.
        end: microseconds since 1970 until which the table was watched; its last event by default.
        ends: steps at which a journey may well stop, where no goal is given; those that are not there are
            left out.

    Raises:
        InvalidInput: there is no such step, or patience or level is none.
    """
    if patience is not None and not patience > 0:
        raise InvalidInput.of("patience", "must be more than nothing, such as 30d")
    if not 0 < level < 1:
        raise InvalidInput.of("level", "must lie between 0 and 1, such as 0.95")
    after, open = _after(events, goal)
    known = open & _watched(events, patience, end)
    stops = events.gap >= (np.inf if patience is None else patience)
    well = () if goal is not None else tuple(step for step in events.steps if step in ends)
    judged = known & ~np.isin(events.step, [events.steps.index(step) for step in well])
    points, unjudged = _points(events, _units(events, judged, events.step, stops, after), level)
    return Pains(
        points=points,
        bottlenecks=_bottlenecks(events, known & ~events.last, after, level),
        unit=_unit(events, goal),
        level=level,
        unjudged=unjudged,
        ends=well,
    )


def _unit(events: Events, goal: str | None) -> str:
    if events.value is not None:
        return "value"
    return "cases that go on" if goal is None else f"cases that reach {goal}"


def _after(events: Events, goal: str | None) -> tuple[Floats, Bools]:
    """(m,) the value after each event, and whether there is anything more to be won."""
    ends = events.starts[1:] - 1
    worth = events.value
    everything = np.ones(len(events), dtype=np.bool_)
    if goal is None and worth is None:
        return (~events.last).astype(np.float64), everything
    reached = np.zeros(len(events)) if goal is None else events.step == events.code(goal, "goal")
    so_far = np.cumsum(reached)
    before = np.append(0.0, so_far)[events.starts[:-1]]
    open = everything if goal is None else so_far == before[events.case]
    if worth is None:
        return (so_far[ends][events.case] > so_far).astype(np.float64), open
    return _later_sums(worth, events), open


def _later_sums(worth: Floats, events: Events) -> Floats:
    """(m,) the sum of the values of the case's later events."""
    total = np.cumsum(worth)
    found: Floats = total[events.starts[1:] - 1][events.case] - total
    return found


def _watched(events: Events, patience: float | None, end: int | None) -> Bools:
    if patience is None:
        return np.ones(len(events), dtype=np.bool_)
    last = int(events.at.max()) if end is None else end
    found: Bools = (last - events.at) / MICROSECONDS >= patience
    return found


def _units(events: Events, rows: Bools, place: Ints, hit: Bools | Floats, after: Floats) -> Units:
    depth = np.arange(len(events)) - events.starts[events.case] + 1
    return Units(
        place=place[rows],
        depth=depth[rows],
        cluster=events.cluster[events.case[rows]],
        hit=np.asarray(hit, dtype=np.float64)[rows],
        after=after[rows],
    )


def _points(events: Events, units: Units, level: float) -> tuple[tuple[Pain, ...], tuple[str, ...]]:
    """The steps judged, and the names of those that can't be."""
    found = excesses(units)
    if found is None:
        return (), ()
    going_on = found.units - found.hits
    judged = np.flatnonzero(going_on >= LEAST)
    lost = _totals(found.lost, judged, level)
    pains = [_pain(found, i, events.steps[found.place[i]], None, total, None) for i, total in lost.items()]
    unjudged = found.place[(going_on < LEAST) & (found.hits >= LEAST)]
    return tuple(sorted(pains, key=lambda pain: -pain.lost.value)), tuple(events.steps[i] for i in unjudged)


def _bottlenecks(events: Events, rows: Bools, after: Floats, level: float) -> tuple[Pain, ...]:
    """Transitions by lost value, then by time waited."""
    if not rows.any():
        return ()
    following = np.append(events.step[1:], 0)
    edges, place = np.unique(events.step * len(events.steps) + following, return_inverse=True)
    slow, beyond = _slow(place[rows], events.gap[rows])
    until = _until_again(events, place, after)
    units = _units(events, rows, place.astype(np.int64), np.zeros(len(events)), until)
    found = excesses(replace(units, hit=slow.astype(np.float64)), compare=False)
    waits = excesses(replace(units, hit=beyond), compare=False)
    if found is None or waits is None:
        return ()
    judged = np.flatnonzero(np.minimum(found.hits, found.units - found.hits) >= LEAST)
    lost, waited = _totals(found.lost, judged, level), _totals(waits.excess, judged, level)
    pains = []
    for i, total in lost.items():
        start, goal = divmod(int(edges[found.place[i]]), len(events.steps))
        pains.append(_pain(found, i, events.steps[start], events.steps[goal], total, waited[i]))
    return tuple(sorted(pains, key=_worst))


def _until_again(events: Events, place: Ints, after: Floats) -> Floats:
    """(m,) the value after each crossing, up to the case's next one of the same transition."""
    crossed = np.flatnonzero(~events.last)
    by_place = crossed[np.lexsort((crossed, place[crossed], events.case[crossed]))]
    now, again = by_place[:-1], by_place[1:]
    same = (events.case[now] == events.case[again]) & (place[now] == place[again])
    found = after.copy()
    found[now[same]] -= after[again[same]]
    return found


def _worst(pain: Pain) -> tuple[float, float]:
    return -round(pain.lost.value, 9), -(0.0 if pain.waited is None else pain.waited.value)


def _slow(place: Ints, gap: Floats) -> tuple[Bools, Floats]:
    """(u,) crossings longer than `SLOW` of those of their transition, and their seconds beyond its median."""
    crossings = pl.DataFrame({"place": place, "gap": gap})
    own = crossings.select(
        pl.col("gap").quantile(SLOW, "linear").over("place").alias("limit"),
        pl.col("gap").median().over("place").alias("median"),
    )
    slow = gap > own["limit"].to_numpy()
    return slow, np.where(slow, gap - own["median"].to_numpy(), 0.0)


def _pain(found: Excesses, i: int, start: str, goal: str | None, lost: Total, waited: Total | None) -> Pain:
    return Pain(
        start=start,
        goal=goal,
        units=int(found.units[i]),
        hits=int(found.hits[i]),
        usual=float(found.usual[i]),
        without=_known(found.without[i]),
        with_hit=_known(found.with_hit[i]),
        lost=lost,
        waited=waited,
    )


def _known(mean: float) -> float | None:
    return None if np.isnan(mean) else float(mean)


def _totals(spread: Spread, rows: Ints, level: float) -> dict[int, Total]:
    """Of the places in these rows, with intervals that hold together."""
    low, high = spread.interval(level, max(1, len(rows)))
    ends = {int(i): (spread.value[i], low[i], high[i]) for i in rows}
    return {i: Total(value=float(v), low=float(a), high=float(b)) for i, (v, a, b) in ends.items()}
