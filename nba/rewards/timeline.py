"""What happened to customers in order of time, and which of it lies in a window. Knows no worth.

Each window's ends are found by bisection among its customer's own rows, all windows at a time: the steps are
as many as the binary digits of the busiest customer's rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeline:
    """m things that happened, by customer, then by time.

    Attributes:
        at: (m,) epoch seconds.
        starts: (c + 1,) the first row of each customer, and the end.
    """

    at: Floats
    starts: Ints

    @classmethod
    def of(cls, customer: Ints, at: Floats, customers: int) -> Timeline:
        """Of rows (m,) in order of customer (codes below `customers`) and time."""
        counts = np.bincount(customer, minlength=customers)
        return cls(at=at, starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))

    def before(self, customer: Ints, moment: Floats) -> Ints:
        """(n,) the customer's first row at the moment or later; the end of their rows where there is none."""
        low, high = self.starts[customer], self.starts[customer + 1]
        while (open := low < high).any():
            middle = (low + high) // 2
            later = self.at[np.minimum(middle, len(self.at) - 1)] >= moment
            low = np.where(open & ~later, middle + 1, low)
            high = np.where(open & later, middle, high)
        return low

    def within(self, customer: Ints, start: Floats, length: float) -> tuple[Ints, Ints]:
        """(n,) first row and end of the customer's rows in [start, start + length)."""
        return self.before(customer, start), self.before(customer, start + length)


def span_sums(values: Floats, first: Ints, end: Ints) -> Floats:
    """(n,) sums of values[first:end], each added up by itself: what came before takes no digits from it."""
    if not len(values) or not len(first):
        return np.zeros(len(first))
    edges = np.column_stack([first, end]).ravel()
    sums = np.add.reduceat(np.append(values, 0.0), edges)[::2]
    return np.where(end > first, sums, 0.0)


def pairs(first: Ints, end: Ints) -> tuple[Ints, Ints]:
    """Every (span, row) with first ≤ row < end, by span, then by row."""
    lengths = end - first
    span = np.repeat(np.arange(len(first)), lengths)
    row = np.arange(len(span)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + np.repeat(first, lengths)
    return span, row
