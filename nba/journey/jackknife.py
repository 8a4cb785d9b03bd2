"""Standard errors over clusters of whatever can be computed from sums: the delete-a-group jackknife.

Clusters are dealt into G groups; θ is computed from all sums, and from those without each group in turn:

    var(θ̂) = (G − 1)/G · Σ_g (θ̂₍₋g₎ − θ̂)²,   θ̂ ± t_{G−1} · √var

All rows of a cluster fall into one group, so whatever ties them together is in the interval. With as many
groups as clusters it is the ordinary jackknife. Kott (2001), The delete-a-group jackknife, J. Official
Statistics 17; it holds for smooth functions of sums, not for medians.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
GROUPS = 50
_SPREAD = 0x9E3779B97F4A7C15  # 2⁶⁴ divided by the golden ratio: neighbours are dealt apart


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spread:
    """(k,) figures and their standard errors, with `groups` − 1 degrees of freedom."""

    value: Floats
    stderr: Floats
    groups: int

    def interval(self, level: float, intervals: int = 1) -> tuple[Floats, Floats]:
        """(k,) ends that hold for all of so many intervals together at `level` (Bonferroni)."""
        width = t.ppf(1 - (1 - level) / (2 * intervals), self.groups - 1) * self.stderr
        return self.value - width, self.value + width


def dealt(clusters: Ints) -> tuple[Ints, int]:
    """(n,) the group of each of n cases by the code of its cluster, and how many groups there are.

    Groups are of the same size in clusters, up to one; which cluster goes where follows its code alone.
    """
    codes, place = np.unique(clusters, return_inverse=True)
    groups = min(GROUPS, len(codes))
    mixed = codes.astype(np.uint64) * np.uint64(_SPREAD)
    rank = np.argsort(np.argsort(mixed, kind="stable"), kind="stable")
    return (rank % groups)[place].astype(np.int64), groups


def spread(sums: Floats, figure: Callable[[Floats], Floats]) -> Spread:
    """A figure and its standard error.

    Args:
        sums: (G, …) sums by group.
        figure: sums (…) added up over groups → (k,) figures; sums are of the size of the whole table.
    """
    groups = len(sums)
    whole = sums.sum(axis=0)
    value = figure(whole)
    without = np.stack([figure((whole - part) * (groups / (groups - 1))) for part in sums])
    variance = (groups - 1) / groups * ((without - value) ** 2).sum(axis=0)
    return Spread(value=value, stderr=np.sqrt(variance), groups=groups)
