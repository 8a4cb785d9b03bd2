"""Paths of contacts to outcomes and to nothing: what models that look at channels as a whole count.

An outcome's path is the contacts of its customer in whose windows it came, in order of time. Contacts that no
such outcome followed make paths to nothing: consecutive ones of a customer are one path. A contact whose
window is still open has not come to nothing yet, and is in no path to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nba.playbook.schema import Objectives
from nba.rewards.attribution import touched, units_of
from nba.rewards.outcomes import Outcomes, window_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Paths:
    """n paths of p contacts.

    Attributes:
        path: (p,) which path, from 0 on, in order; contact: (p,) which contact, in order of time in its path.
        worth: (n,) of the path's outcome in millionths of the currency; 0 for a path to nothing.
        reached: (n,) whether the path led to an outcome.
        organic: millionths of the outcomes that no contact came before; organic_outcomes: how many.
        open: contacts that no outcome followed yet, and whose windows are open.
    """

    path: Ints
    contact: Ints
    worth: Ints
    reached: Bools
    organic: int
    organic_outcomes: int
    open: int


def paths(objectives: Objectives, known: Outcomes, at: Floats, *, as_of: float, gains: bool) -> Paths:
    """The paths to outcomes that are worth something, or (without `gains`) to those that cost something.

    Args:
        known, at: as in `attribute`.
        as_of: epoch seconds until which is known what followed.

    Raises:
        InvalidInput: worth beyond what can be counted.
    """
    units = units_of(known)
    wanted = units > 0 if gains else units < 0
    chosen = replace(
        known,
        customer=known.customer[wanted],
        type=known.type[wanted],
        at=known.at[wanted],
        worth=known.worth[wanted],
    )
    outcome, contact = touched(objectives, chosen, at)
    led, place = np.unique(outcome, return_inverse=True)
    followed = np.zeros(len(at), dtype=np.bool_)
    followed[contact] = True
    longest = max(window_of(objectives, type) for type in known.types) if known.types else 0.0
    closed = at + longest <= as_of
    null_path, null_contact = _to_nothing(known.decider[: len(at)], at, followed, closed)
    nothing = int(null_path.max(initial=-1)) + 1
    alone = np.ones(len(units[wanted]), dtype=np.bool_)
    alone[led] = False
    return Paths(
        path=np.concatenate([place.astype(np.int64), null_path + len(led)]),
        contact=np.concatenate([contact, null_contact]),
        worth=np.concatenate([units[wanted][led], np.zeros(nothing, dtype=np.int64)]),
        reached=np.arange(len(led) + nothing) < len(led),
        organic=int(units[wanted][alone].sum()),
        organic_outcomes=int(alone.sum()),
        open=int((~followed & ~closed).sum()),
    )


def _to_nothing(customer: Ints, at: Floats, followed: Bools, closed: Bools) -> tuple[Ints, Ints]:
    """Path and contact of those that came to nothing, by customer and time; a success ends a path."""
    order = np.lexsort((at, customer))
    successes = np.cumsum(followed[order])
    kept = (~followed & closed)[order]
    rows = order[kept]
    if not len(rows):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    fresh = (np.diff(customer[rows]) != 0) | (np.diff(successes[kept]) != 0)
    return np.concatenate([[0], np.cumsum(fresh)]).astype(np.int64), rows
