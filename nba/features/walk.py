"""All customers of a table walk through their moments in step: fold what came between, read, go on.

Moments are visited lot by lot of customers, in a lot by rank (everybody's first moment, then everybody's
second, …), and among those of one rank by customer. Customers are numbered by falling number of
moments, so that those who have an r-th moment are always the first rows of the lot's states.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from nba.features.layout import Array, Codes, Layout
from nba.features.state import States
from nba.features.touchpoints import Touchpoints

THREADS = 2
LOT = 2_048  # customers whose states are held at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """n moments of c customers, sorted by customer and time.

    Attributes:
        at: (n,) microseconds.
        starts: (c + 1,) where each customer's moments begin, and n.
        order: (n,) the moments in the order in which they are visited.
        lots: for each lot of customers, where its steps begin among the visits, and where the last ends.
    """

    at: Codes
    starts: Codes
    order: Codes
    lots: tuple[Codes, ...]

    @classmethod
    def of(cls, customer: Codes, at: Codes) -> Walk:
        """From sorted moments; customers are numbered from 0 by falling number of moments."""
        starts = np.flatnonzero(np.append(True, customer[1:] != customer[:-1])[: len(customer)])
        rank = np.arange(len(customer)) - starts[customer]
        lot = customer // LOT
        order = np.lexsort((customer, rank, lot))
        turns = (np.diff(lot[order]) != 0) | (np.diff(rank[order]) != 0)
        steps = np.concatenate([[0], np.flatnonzero(turns) + 1, [len(order)]]).astype(np.int64)
        cuts = np.flatnonzero(np.diff(lot[order]) != 0) + 1
        edges = np.searchsorted(steps, np.concatenate([[0], cuts, [len(order)]]))
        lots = tuple(steps[start : end + 1] for start, end in pairwise(edges) if end > start)
        return cls(at=at, starts=np.append(starts, len(customer)), order=order, lots=lots)

    def visits(self, customer: Codes, at: Codes, *, inclusive: bool) -> Codes:
        """(m,) the visit at which each touchpoint is first known; -1 if it is after the last.

        By binary search among the customer's moments, for all touchpoints at once.
        """
        low, high = self.starts[customer], self.starts[customer + 1]
        end = high
        while (searching := low < high).any():
            middle = (low + high) // 2
            moment = self.at[np.minimum(middle, len(self.at) - 1)]
            later = searching & ((moment < at) if inclusive else (moment <= at))
            low = np.where(later, middle + 1, low)
            high = np.where(later, high, np.maximum(middle, low))
        visit = np.full(len(self.order) + 1, -1)
        visit[self.order] = np.arange(len(self.order))
        return np.where(low < end, visit[low], -1)

    def features(self, layout: Layout, touchpoints: Touchpoints) -> pl.DataFrame:
        """The features of each moment, in the order of the visits.

        Args:
            touchpoints: sorted by row, which is the visit at which they are first known.
        """
        out = np.empty((len(layout.feature_names), len(self.order)))
        at = self.at[self.order] / 1e6

        def walk(steps: Codes) -> None:
            _walk(layout, steps, at, touchpoints, out)

        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(walk, self.lots))
        return pl.DataFrame([pl.Series(n, c) for n, c in zip(layout.feature_names, out, strict=True)])


def _walk(layout: Layout, steps: Codes, at: Array, touchpoints: Touchpoints, out: Array) -> None:
    """One lot of customers through its steps; writes the visits' columns of `out`, (S, n)."""
    states = States.empty(layout, int(steps[1] - steps[0]))
    held = np.searchsorted(touchpoints.row, steps)
    for (start, end), known in zip(pairwise(steps), map(slice, held, held[1:]), strict=True):
        between = touchpoints.where(known).moved(-start)
        states = states.take(slice(end - start)).fold(between)
        out[:, start:end] = states.read(at[start:end]).T
