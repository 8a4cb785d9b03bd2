"""Customers in order of maturity: each enters an experiment's figures once, when its window has closed.

The sequential tests hold for such a sequence. They don't hold for running totals, in which a customer's
figure still grows after it was counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.ab.moments import Moments, finite
from experiments.ab.ratio import Ratio
from nba.errors import InvalidInput

Ints = NDArray[np.int64]
A = TypeVar("A", Moments, Ratio)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entries:
    """n customers in order of maturity.

    Attributes:
        arm: (n,) of each, from 0; 0 is control.
        arms: how many arms there are.
        matured_at: (n,) epoch seconds, not decreasing.
        order: (n,) index of each among the rows given.
    """

    arm: Ints
    arms: int
    matured_at: NDArray[np.float64]
    order: Ints

    @classmethod
    def of(cls, matured_at: ArrayLike, arm: ArrayLike, arms: int, customer: Sequence[str]) -> Entries:
        """Sort (n,) customers; those of one moment by their name, so that the order is always the same.

        Raises:
            InvalidInput: shapes, an arm outside 0 to arms − 1, a customer who enters twice.
        """
        when, which = finite("matured_at", matured_at), np.asarray(arm)
        if which.shape != when.shape or len(customer) != len(when):
            raise InvalidInput.of("arm", f"arm and customer must have {len(when)} rows, as matured_at has")
        if len(which) and (which.min() < 0 or which.max() >= arms):
            raise InvalidInput.of("arm", f"must lie between 0 and {arms - 1}")
        if len(set(customer)) < len(customer):
            raise InvalidInput.of("customer", "must each enter once; there are some who enter twice")
        order = np.lexsort((np.asarray(customer), when)) if len(when) else np.zeros(0, dtype=np.int64)
        return cls(arm=which[order].astype(np.int64), arms=arms, matured_at=when[order], order=order)

    def __len__(self) -> int:
        return len(self.arm)

    def mature(self, as_of: float) -> int:
        """How many have entered by then."""
        return int(np.searchsorted(self.matured_at, as_of, side="right"))

    def counts(self, cuts: Iterable[int]) -> Ints:
        """(m, arms): customers in each arm among the first so many, for `sequential_srm`."""
        entered = np.cumsum(self.arm[:, None] == np.arange(self.arms), axis=0)
        padded = np.vstack([np.zeros((1, self.arms), dtype=np.int64), entered])
        found: Ints = padded[_checked(cuts, len(self))]
        return found

    def moments(
        self, cuts: Iterable[int], values: ArrayLike, before: ArrayLike | None = None
    ) -> list[tuple[Moments, ...]]:
        """The sums of each arm among the first so many customers, for each of some increasing cuts.

        Args:
            values, before: (n,) in the order of the rows given to `of`.
        """
        columns = [finite("values", values)] + ([] if before is None else [finite("before", before)])
        return self._sums(cuts, columns, Moments.of)

    def ratios(
        self,
        cuts: Iterable[int],
        numerator: ArrayLike,
        denominator: ArrayLike,
        before: ArrayLike | None = None,
        before_denominator: ArrayLike | None = None,
    ) -> list[tuple[Ratio, ...]]:
        """The same for a ratio metric."""
        given = (numerator, denominator, before, before_denominator)
        names = ("numerator", "denominator", "before", "before_denominator")
        columns = [finite(name, x) for name, x in zip(names, given, strict=True) if x is not None]
        return self._sums(cuts, columns, Ratio.of)

    def _sums(
        self, cuts: Iterable[int], columns: list[NDArray[np.float64]], make: Callable[..., A]
    ) -> list[tuple[A, ...]]:
        if any(len(column) != len(self) for column in columns):
            raise InvalidInput.of("values", f"must have {len(self)} rows, one for each customer")
        ordered = [column[self.order] for column in columns]
        so_far = [make(*(column[:0] for column in ordered)) for _ in range(self.arms)]
        found: list[tuple[A, ...]] = []
        for low, high in pairwise([0, *_checked(cuts, len(self))]):
            for which in range(self.arms):
                there = self.arm[low:high] == which
                so_far[which] = so_far[which] + make(*(column[low:high][there] for column in ordered))
            found.append(tuple(so_far))
        return found


def evenly(customers: int, looks: int) -> list[int]:
    """Cuts of `looks` equal steps, the last at `customers`."""
    if not 1 <= looks <= customers:
        raise InvalidInput.of("looks", f"must be between 1 and the {customers} customers, but is {looks}")
    return [round(customers * (k + 1) / looks) for k in range(looks)]


def _checked(cuts: Iterable[int], n: int) -> list[int]:
    found = [int(cut) for cut in cuts]
    if found != sorted(found) or (found and not 0 <= found[0] <= found[-1] <= n):
        raise InvalidInput.of("cuts", f"must not decrease, and lie between 0 and {n}")
    return found
