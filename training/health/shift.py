"""By how much a mean has moved from the reference to the window, told from chance.

The customer is the unit: one who was decided for in both has a hand in both means, and their covariance
counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri_exp
from scipy.stats import t

from nba.errors import NotEnoughData

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
SURE = 1e-4  # the chance at which a figure is out of bounds though nothing has changed, at most
_LEAST_SPREAD = 1.1  # n_psi below which one customer makes up the variance


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Two means and their distance.

    Attributes:
        before, now: means over the decisions of the reference and of the window.
        deviations: now − before in standard errors, as of a normal distribution: where few customers make up
            the variance Student's t (n_psi − 1 degrees of freedom) is translated, and they count for less.
    """

    before: float
    now: float
    deviations: float


def shift(values: Floats, customer: Ints, window: Bools, reference: Bools, least: int) -> Shift:
    """(n,) values, whose customers they are, and masks of the window's and the reference's.

    Raises:
        NotEnoughData: either has fewer than `least` rows, or the values don't vary.
    """
    sizes = {"window": int(window.sum()), "reference": int(reference.sum())}
    if min(sizes.values()) < least:
        raise NotEnoughData(f"a comparison takes {least} decisions on each side", sizes)
    now, before = float(values[window].mean()), float(values[reference].mean())
    influence = np.zeros(len(values))
    influence[window] += (values[window] - now) / sizes["window"]
    influence[reference] -= (values[reference] - before) / sizes["reference"]
    psi = by_customer(influence, customer)
    squares, fourths = float(np.sum(psi**2)), float(np.sum(psi**4))
    if squares <= 0 or squares**2 / fourths < _LEAST_SPREAD:
        raise NotEnoughData("the values hardly vary, so chance can't be told", sizes)
    ratio, freedom = (now - before) / np.sqrt(squares), squares**2 / fourths - 1
    return Shift(before=before, now=now, deviations=as_normal(ratio, freedom))


def by_customer(rows: Floats, customer: Ints) -> Floats:
    """(customers,) sums of the rows of each."""
    _, code = np.unique(customer, return_inverse=True)
    return np.bincount(code, weights=rows).astype(np.float64, copy=False)


def as_normal(ratio: float, freedom: float) -> float:
    """The deviation of a normal distribution that is as unlikely as this one of Student's t."""
    tail = float(t.logsf(abs(ratio), max(freedom, 0.1)))
    return float(np.copysign(-ndtri_exp(tail), ratio))
