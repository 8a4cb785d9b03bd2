"""What sets unhappy customers apart, by effect size. What goes together, not what causes what.

Cliff's δ of a fact x between the n₁ unhappy answers and the n₀ others:

    δ = P(x₁ > x₀) − P(x₁ < x₀),   ψᵢ = (P₀(x₀ < xᵢ) − P₀(x₀ > xᵢ) − δ)/n₁ and likewise for the others

Of a yes-or-no fact it is the difference of the shares. The variance m/(m−1) Σψ² sums ψ by customer first:
DeLong, DeLong & Clarke-Pearson (1988) with the clusters of Obuchowski (1997). Words for sizes are those of
Romano et al. (2006). Many facts are looked at, so p values are Holm's and intervals hold together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from experiments.ab.many import adjusted, level_for
from experiments.ope.units import spread_count
from nba.errors import NotEnoughData

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
LEAST = 10  # customers on each side
RARE = 5  # customers of whom a yes-or-no fact holds, and does not
_SIZES = ((0.147, "negligible"), (0.33, "small"), (0.474, "medium"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """One fact.

    Attributes:
        delta, low, high: Cliff's δ; above 0 the unhappy have more of it.
        p_value: by itself; `adjusted` among all that were looked at.
        unhappy, others: shares for a yes-or-no fact, else medians (infinite for never).
        answers, customers: of whom the fact is known.
    """

    name: str
    yes_or_no: bool
    delta: float
    stderr: float
    low: float
    high: float
    degrees: float
    p_value: float
    adjusted: float
    unhappy: float
    others: float
    answers: int
    customers: int

    @property
    def size(self) -> str:
        """`negligible`, `small`, `medium` or `large`."""
        return next((word for most, word in _SIZES if abs(self.delta) < most), "large")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drivers:
    """Facts by size of effect, the largest first.

    Attributes:
        skipped: fact → why it was not looked at.
        each: the level of each interval, so that all hold together at `level`.
    """

    found: tuple[Driver, ...]
    skipped: Mapping[str, str]
    level: float
    each: float

    @property
    def standing_out(self) -> tuple[Driver, ...]:
        return tuple(d for d in self.found if d.adjusted <= 1 - self.level)


def drivers(unhappy: Bools, customer: Ints, facts: Mapping[str, Floats], level: float = 0.95) -> Drivers:
    """Compare (n,) answers of (n,) customers by facts, (n,) each, NaN where not known.

    Raises:
        NotEnoughData: fewer than 10 customers who were unhappy, or who were not.
    """
    figures = {
        "unhappy": float(len(np.unique(customer[unhappy]))),
        "others": float(len(np.unique(customer[~unhappy]))),
        "needed": float(LEAST),
    }
    if min(figures["unhappy"], figures["others"]) < LEAST:
        raise NotEnoughData("too few customers on one side to say what sets them apart", figures)
    found, skipped = [], {}
    for name, x in facts.items():
        try:
            found.append(_driver(name, x, unhappy, customer))
        except NotEnoughData as error:
            skipped[name] = error.detail
    p = [driver.p_value for driver in found]
    each = level_for(p, "holm", level)
    told = [_at(d, a, each) for d, a in zip(found, adjusted(p, "holm").tolist(), strict=True)]
    told.sort(key=lambda d: (-abs(d.delta), d.name))
    return Drivers(found=tuple(told), skipped=skipped, level=level, each=each)


def _driver(name: str, x: Floats, unhappy: Bools, customer: Ints) -> Driver:
    known = ~np.isnan(x)
    x, unhappy, customer = x[known], unhappy[known], customer[known]
    sides = [len(np.unique(customer[side])) for side in (unhappy, ~unhappy)]
    if min(sides) < LEAST:
        raise NotEnoughData("it is known of too few", {"unhappy": float(sides[0]), "others": float(sides[1])})
    yes_or_no = set(np.unique(x).tolist()) <= {0.0, 1.0}
    holds = min(len(np.unique(customer[x == v])) for v in (0.0, 1.0)) if yes_or_no else len(np.unique(x))
    if holds < (RARE if yes_or_no else 2):
        raise NotEnoughData("it hardly differs between customers", {"customers": float(holds)})
    one, other = x[unhappy], x[~unhappy]
    above, below = _lead(one, other), -_lead(other, one)
    delta = float(above.mean())
    psi = np.empty(len(x))
    psi[unhappy], psi[~unhappy] = (above - delta) / len(one), (below - delta) / len(other)
    _, whose = np.unique(customer, return_inverse=True)
    summed = np.bincount(whose, weights=psi).astype(np.float64)
    m = len(summed)
    # Where a fact parts the two sides wholly nothing varies, which is luck as well: 1/m is the least error.
    stderr, least = math.sqrt(m / (m - 1) * float(summed @ summed)), 1.0 / min(sides)
    degrees = max(spread_count(summed) - 1, 1.0) if stderr > least else min(sides) - 1.0
    stderr = max(stderr, least)
    middle = np.mean if yes_or_no else np.median
    return Driver(
        name=name,
        yes_or_no=yes_or_no,
        delta=delta,
        stderr=stderr,
        low=-1.0,
        high=1.0,
        degrees=degrees,
        p_value=2 * float(stdtr(degrees, -abs(delta) / stderr)),
        adjusted=1.0,
        unhappy=float(middle(one)),
        others=float(middle(other)),
        answers=len(x),
        customers=m,
    )


def _at(driver: Driver, adjusted: float, level: float) -> Driver:
    half = float(stdtrit(driver.degrees, 0.5 + level / 2)) * driver.stderr
    low, high = max(driver.delta - half, -1.0), min(driver.delta + half, 1.0)
    return replace(driver, adjusted=adjusted, low=low, high=high)


def _lead(x: Floats, among: Floats) -> Floats:
    """For each of x: the share of `among` below it less the share above."""
    ranked = np.sort(among)
    below = np.searchsorted(ranked, x, side="left")
    above = len(ranked) - np.searchsorted(ranked, x, side="right")
    return np.asarray((below - above) / len(ranked), dtype=np.float64)
