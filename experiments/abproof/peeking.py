"""False alarms and power of four ways to analyse one experiment that is looked at as it runs.

Simulated with independent customers; beside it, what theory says of a Brownian motion with the same bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.ab.anytime import bound, mixing
from experiments.ab.spending import WIDEST, bounds_at, crossing, even, group_sequential

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """An experiment on a share, such as that of customers who purchase.

    Attributes:
        per_arm: customers in each of two arms at the end.
        base, lift: control's share, and what treatment adds as a share of it.
        looks: evenly spaced.
        tuning: of the always-valid interval, customers in both arms.
        exponent: of group-sequential spending.
    """

    per_arm: int = 10_000
    base: float = 0.10
    lift: float = 0.10
    looks: int = 20
    alpha: float = 0.05
    tuning: float = 5_000.0
    exponent: float = 2.0

    @property
    def customers(self) -> Floats:
        """(looks,) in both arms."""
        return 2 * self.per_arm * np.array(even(self.looks))

    @property
    def drift(self) -> float:
        """The mean of z at the end, with the lift."""
        other = self.base * (1 + self.lift)
        variance = self.base * (1 - self.base) + other * (1 - other)
        return float((other - self.base) / (variance / self.per_arm) ** 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A simulated share of runs, and the share by theory."""

    simulated: float
    stderr: float
    theory: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to analyse.

    Attributes:
        false_alarms: runs without effect that reach a bound.
        power: runs with the lift that do.
        customers: in both arms, mean when a run with the lift stops, at a bound or at the end.
    """

    method: str
    false_alarms: Rate
    power: Rate
    customers: float


def bounds_of(design: Design) -> dict[str, Floats]:
    """Method → (looks,) of |z| to stop at."""
    once = float(group_sequential(1, design.alpha)[0])
    last = np.full(design.looks, WIDEST)
    last[-1] = once
    rho2 = mixing(design.tuning, design.alpha)
    return {
        "fixed, looked at once": last,
        "fixed, peeked at": np.full(design.looks, once),
        "always valid": bound(design.customers * rho2, design.alpha),
        "group-sequential": bounds_at(even(design.looks), design.alpha, design.exponent),
    }


def table(design: Design, runs: int, seed: int) -> list[Row]:
    """A row for each method, all on the same runs."""
    rng = np.random.default_rng(seed)
    null, lifted = (statistics(design, lift, runs, rng) for lift in (0.0, design.lift))
    rows = []
    for method, bounds in bounds_of(design).items():
        reached = np.abs(lifted) >= bounds
        stopped = np.where(_any(reached), reached.argmax(axis=1), design.looks - 1)
        rows.append(
            Row(
                method=method,
                false_alarms=_rate(_any(np.abs(null) >= bounds), design, bounds, 0.0),
                power=_rate(_any(reached), design, bounds, design.drift),
                customers=float(design.customers[stopped].mean()),
            )
        )
    return rows


def statistics(design: Design, lift: float, runs: int, rng: np.random.Generator) -> Floats:
    """(runs, looks) of z = difference / stderr of two shares; 0 where nothing has been purchased yet."""
    each = np.diff(np.round(design.per_arm * np.array([0, *even(design.looks)]))).astype(int)
    n = np.cumsum(each)
    control = rng.binomial(each, design.base, (runs, design.looks)).cumsum(axis=1) / n
    treatment = rng.binomial(each, design.base * (1 + lift), (runs, design.looks)).cumsum(axis=1) / n
    variance = (control * (1 - control) + treatment * (1 - treatment)) / n
    z: Floats = (treatment - control) / np.sqrt(np.where(variance > 0, variance, np.inf))
    return z


def _any(reached: Bools) -> Bools:
    """(runs,) whether at any look."""
    found: Bools = np.any(reached, axis=1)
    return found


def _rate(hits: Bools, design: Design, bounds: Floats, drift: float) -> Rate:
    share = float(hits.mean())
    return Rate(
        simulated=share,
        stderr=(share * (1 - share) / len(hits)) ** 0.5,
        theory=float(crossing(bounds, even(design.looks), drift)[-1]),
    )
