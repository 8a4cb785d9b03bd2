"""Shapley attribution: each channel's fair share of what the sets of channels that met a customer brought.

The game: v(S) is the worth of the outcomes whose paths have channels of S only. The Shapley value of c is the
mean, over all orders in which channels could be added, of what v gains when c is added (Shapley 1953). This v
is a sum of unanimity games, one a path, so its value has a closed form:

    φ(c) = Σ_paths worth / |channels on the path|,  over the paths that c is on

Exact therefore, for any number of channels, without sampling: Zhao, Mahboobi & Bagheri (2018), Shapley Value
Methods for Attribution Modeling in Online Advertising, §3. Paths to nothing have no part in it, and who would
have bought anyway is credited too, so it is no measure of effect.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nba.rewards.paths import Paths

Ints = NDArray[np.int64]


def by_shapley(paths: Paths, label: Ints, labels: int) -> Ints:
    """(k,) millionths of each label; together all that the paths were worth.

    Args:
        label: of each contact, from 0 to `labels` − 1. What rounding leaves of a path goes to its first
            labels by number, a millionth each.
    """
    path, on = distinct(paths, label, labels)
    sizes = np.bincount(path, minlength=len(paths.worth))
    rank = np.arange(len(path)) - np.append(0, np.cumsum(sizes)[:-1])[path]
    whole, rest = np.divmod(np.abs(paths.worth), np.maximum(sizes, 1))
    parts = (whole[path] + (rank < rest[path])) * np.sign(paths.worth)[path]
    credited = np.zeros(labels, dtype=np.int64)
    np.add.at(credited, on, parts)
    return credited


def distinct(paths: Paths, label: Ints, labels: int) -> tuple[Ints, Ints]:
    """Every (path, label) such that the label is on the path, once; by path, then label."""
    pairs = np.unique(paths.path * labels + label[paths.contact])
    return pairs // max(labels, 1), pairs % max(labels, 1)
