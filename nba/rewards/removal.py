"""Markov attribution: by how much fewer paths would lead to an outcome if a channel's contacts led nowhere.

The paths are read as walks of a chain: start → contacts → an outcome or nothing, both absorbing. With Q the
odds of going from one channel to another, r those of an outcome next, and s those of the first contact,

    P(S) = s_S (I − Q_SS)⁻¹ r_S     the probability of an outcome through channels in S only
    removal effect of c = 1 − P(all but c) / P(all)

Credit is in proportion to the removal effects, and adds up to what the paths were worth. Anderl, Becker, von
Wangenheim & Schumann (2016), Mapping the customer journey, IJRM 33. It says what came before outcomes and not
before nothing; who would have bought anyway is credited too, so it is no measure of effect.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nba.rewards.paths import Paths

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def removal_effects(paths: Paths, label: Ints, labels: int) -> Floats:
    """(k,) the removal effect of each label, 0 for one that is on no path; all 0 without an outcome.

    Args:
        label: of each contact, from 0 to `labels` − 1.
    """
    start, between, end = _chain(paths, label, labels)
    whole = _probability(start, between, end, np.arange(labels))
    if whole == 0.0:
        return np.zeros(labels)
    others = [np.delete(np.arange(labels), c) for c in range(labels)]
    return np.array([1 - _probability(start, between, end, rest) / whole for rest in others]).clip(0.0, 1.0)


def by_removal(paths: Paths, label: Ints, labels: int) -> Ints:
    """(k,) millionths of each label; together all that the paths were worth."""
    return parted(int(paths.worth.sum()), removal_effects(paths, label, labels))


def parted(total: int, weights: Floats) -> Ints:
    """(k,) whole parts in proportion to the weights that add up to the total exactly; the largest
    remainders take what rounding leaves. All 0 where there is nothing to go by."""
    parts = np.zeros(len(weights), dtype=np.int64)
    if total == 0 or not weights.sum() > 0:
        return parts
    exact = abs(total) * (weights / weights.sum())
    parts += np.floor(exact).astype(np.int64)
    left = abs(total) - int(parts.sum())
    some = np.argsort(parts - exact, kind="stable")
    some = some[weights[some] > 0]
    np.add.at(parts, np.resize(some, abs(left)), 1 if left > 0 else -1)
    return parts if total > 0 else -parts


def _chain(paths: Paths, label: Ints, labels: int) -> tuple[Floats, Floats, Floats]:
    """s (k,), Q (k, k) and r (k,)."""
    at = label[paths.contact]
    last = np.append(paths.path[1:] != paths.path[:-1], True)[: len(at)]
    first = np.append(True, last[:-1])[: len(at)]
    start = np.bincount(at[first], minlength=labels).astype(np.float64)
    outcome = np.bincount(at[last], paths.reached[paths.path[last]].astype(np.float64), minlength=labels)
    between = np.zeros((labels, labels))
    np.add.at(between, (at[:-1][~last[:-1]], at[1:][~last[:-1]]), 1.0)
    visits = np.maximum(np.bincount(at, minlength=labels), 1)
    return start / max(start.sum(), 1.0), between / visits[:, None], outcome / visits


def _probability(start: Floats, between: Floats, end: Floats, kept: Ints) -> float:
    """Of an outcome, when only the kept labels lead on."""
    inside = np.eye(len(kept)) - between[np.ix_(kept, kept)]
    return float(start[kept] @ np.linalg.solve(inside, end[kept])) if len(kept) else 0.0
