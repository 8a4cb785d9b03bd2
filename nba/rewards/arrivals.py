"""When after its decision each part of a reward came: caps and clip are taken in the order of time.

    Σ of what arrived by time t after the decision = clip(Σ_o cap_o(Σ worth of type o by t)) − clip(0)

so sums over time of what arrives are exact also where a cap or the clip binds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nba.playbook.schema import Objectives
from nba.rewards.outcomes import Outcomes, window_of
from nba.rewards.timeline import pairs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_AT_ONCE = 2_000_000  # pairs, about


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrivals:
    """p pairs of a decision and an outcome in its window, by decision, then by time.

    Attributes:
        decision: (p,) position; type: (p,) index into the outcomes' types; after: (p,) seconds.
        worth: (p,) what the outcome added under its type's cap; cut: (p,) what the clip did to that.
    """

    decision: Ints
    type: Ints
    after: Floats
    worth: Floats
    cut: Floats


def arrivals(objectives: Objectives, known: Outcomes, decided_at: Floats) -> Iterator[Arrivals]:
    """What arrived after the decisions (n,) of `known`'s deciders, some decisions at a time."""
    timeline, _ = known.timeline(range(len(known.types)))
    first, end = timeline.within(known.decider, decided_at, objectives.window)
    windows = np.array([window_of(objectives, type) for type in known.types])
    for start, stop in _parts(end - first):
        part = slice(start, stop)
        decision, row = pairs(first[part], end[part])
        after = known.at[row] - decided_at[part][decision]
        counts = after < windows[known.type[row]]
        decision, row, after = decision[counts], row[counts], after[counts]
        type = known.type[row]
        worth = _capped(objectives, known.types, decision, type, known.worth[row])
        yield Arrivals(
            decision=decision + start,
            type=type,
            after=after,
            worth=worth,
            cut=_clipped(objectives, decision, worth) - worth,
        )


def _parts(lengths: Ints) -> Iterator[tuple[int, int]]:
    """Ranges of decisions that have about so many pairs each."""
    lot = np.cumsum(lengths) // _AT_ONCE
    edges = [0, *(np.flatnonzero(np.diff(lot)) + 1).tolist(), len(lengths)]
    return pairwise(edges)


def _capped(
    objectives: Objectives, types: tuple[str, ...], decision: Ints, type: Ints, worth: Floats
) -> Floats:
    """(p,) what each outcome adds to its type's sum once that is capped."""
    added = worth.copy()
    for i, name in enumerate(types):
        cap = objectives.outcomes[name].cap
        if cap is not None:
            rows = type == i
            added[rows] = _added(decision[rows], worth[rows], (-cap, cap))
    return added


def _clipped(objectives: Objectives, decision: Ints, worth: Floats) -> Floats:
    return worth if objectives.clip is None else _added(decision, worth, objectives.clip)


def _added(decision: Ints, worth: Floats, bounds: tuple[float, float]) -> Floats:
    """(p,) by how much each outcome moves the decision's bounded running sum."""
    if not len(worth):
        return worth
    begins = np.flatnonzero(np.diff(decision, prepend=-1))
    total = np.cumsum(worth)
    before = np.repeat(total[begins] - worth[begins], np.diff(begins, append=len(worth)))
    by_then = np.clip(total - before, *bounds)
    moved = np.diff(by_then, prepend=0.0)
    moved[begins] = by_then[begins] - np.clip(0.0, *bounds)
    return moved
