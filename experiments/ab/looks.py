"""A planned look at a running experiment: does it cross its bound, and what may be said if it doesn't?

Repeated intervals hold at all looks at once, whether or not one stops where a bound is crossed. Jennison &
Turnbull (1989); (2000), §9. The bounds are those of spending.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from experiments.ab.effect import Arm, Difference, effect
from experiments.ab.spending import LEAST_SPENT, bounds_at, even, spent_by
from nba.errors import InvalidInput

_LEAST_P = 1e-12  # p values below aren't told apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one planned look shows.

    Attributes:
        difference: with the repeated interval, at this look's bound. Its p value is the least α at which
            this look would have crossed (Jennison & Turnbull 2000, §9.5): below α just where it crosses.
        z: the estimate in standard errors.
        bound: |z| from which the plan stops here.
        crossed: whether it does.
        spent: of α, by this look.
    """

    difference: Difference
    z: float
    bound: float
    crossed: bool
    spent: float


def at_look(
    control: Arm,
    treatment: Arm,
    look: int,
    looks: int = 5,
    alpha: float = 0.05,
    exponent: float = 2,
    relative: bool = False,
) -> Look:
    """The look-th of `looks` equally spaced ones, counted from 1.

    The arms hold what is known at this look: so many first customers by order of maturity.

    Raises:
        InvalidInput: look outside 1 to looks; alpha, exponent as in `group_sequential`.
        NotEnoughData: as `difference`.
    """
    if not 1 <= look <= looks:
        raise InvalidInput.of("look", f"must be between 1 and {looks}, but is {look}")
    return at_information(control, treatment, even(looks)[:look], alpha, exponent, relative)


def at_information(
    control: Arm,
    treatment: Arm,
    fractions: Sequence[float],
    alpha: float = 0.05,
    exponent: float = 2,
    relative: bool = False,
) -> Look:
    """A look where looks came as they came: at these shares of the planned customers, the last being now.

    When to look must not depend on what earlier looks showed.

    Raises:
        InvalidInput: fractions, alpha, exponent as in `bounds_at`.
        NotEnoughData: as `difference`.
    """
    shares = tuple(float(t) for t in fractions)
    edge = float(bounds_at(shares, alpha, exponent)[-1])
    measured = effect(control, treatment, relative)
    stderr = math.sqrt(measured.variance)
    plan = _Plan(value=measured.value, stderr=stderr, shares=shares, exponent=exponent)
    z = measured.value / stderr
    return Look(
        difference=plan.at(1 - alpha),
        z=z,
        bound=edge,
        crossed=abs(z) >= edge,
        spent=float(spent_by(shares, alpha, exponent)[-1]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The looks until now, at these shares of the planned customers."""

    value: float
    stderr: float
    shares: tuple[float, ...]
    exponent: float

    def at(self, level: float) -> Difference:
        half = self._bound(1 - level) * self.stderr
        told = Difference(
            value=self.value,
            stderr=self.stderr,
            low=self.value - half,
            high=self.value + half,
            p_value=self._p_value(abs(self.value / self.stderr)),
        )
        return told.of(self)

    def _bound(self, alpha: float) -> float:
        return float(bounds_at(self.shares, alpha, self.exponent)[-1])

    def _p_value(self, z: float) -> float:
        """The α whose bound at the last look is z."""
        thinnest = float(np.diff(spent_by(self.shares, 1.0, self.exponent), prepend=0.0).min())
        least, most = max(_LEAST_P, 1.001 * LEAST_SPENT / thinnest), 1 - 1e-9
        if z <= self._bound(most):
            return 1.0
        if z >= self._bound(least):
            return least
        # in normal quantiles the bound is nearly a straight line, so few steps find the root
        ends = -float(ndtri(most / 2)), -float(ndtri(least / 2))
        found = brentq(lambda x: self._bound(2 * float(ndtr(-x))) - z, *ends, xtol=1e-8)
        return 2 * float(ndtr(-float(found)))
