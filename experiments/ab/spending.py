"""Bounds for a planned number of looks: the false-alarm budget is spent as the data come in.

By the share t of the planned information, α·t^exponent has been spent. With B a Brownian motion, the bound b
of the look at t solves P(|B| stayed within the earlier bounds, |B(t)| ≥ b√t) = what the look may spend;
the density of the paths still within is carried from look to look by Gauss–Legendre quadrature.
Lan & DeMets (1983); Kim & DeMets (1987) for the power family; Armitage, McPherson & Rowe (1969) for the
recursion.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from nba.errors import InvalidInput

Floats = NDArray[np.float64]

WIDEST = 38.0  # a z beyond which a double knows no probability
FARTHEST = 9.0  # standard deviations from the mean; the nodes waste no place beyond
LEAST_SPENT = 1e-15  # by a look; below it the quadrature's own error is larger
CLOSEST = 1e-4  # looks nearer to each other than this share of the plan need too fine a grid


def group_sequential(looks: int = 5, alpha: float = 0.05, exponent: float = 2) -> Floats:
    """(looks,) two-sided bounds: stop at look k if |z| is at least the k-th.

    Raises:
        InvalidInput: looks below 1, alpha outside (0, 1), exponent not positive, or a first look with nothing
            to spend.
    """
    return bounds_at(even(looks), alpha, exponent)


def bounds_at(fractions: Sequence[float], alpha: float = 0.05, exponent: float = 2) -> Floats:
    """(m,) two-sided bounds for looks at these shares of the planned information, whatever they are.

    What a look may spend depends on its share alone, not on how many looks there are or will be, so they
    needn't be planned one by one. A share above 1 (more data than planned) finds all of α spent.

    Raises:
        InvalidInput: fractions that don't increase by 0.0001 at least, more than one above 1, alpha outside
            (0, 1), exponent not positive, or a look with nothing to spend.
    """
    return np.array(_bounds(tuple(float(t) for t in fractions), float(alpha), float(exponent)))


def even(looks: int) -> tuple[float, ...]:
    """Shares of the plan at equally spaced looks."""
    if looks < 1:
        raise InvalidInput.of("looks", f"must be at least 1, but is {looks}")
    return tuple((k + 1) / looks for k in range(looks))


def spent_by(fractions: Sequence[float], alpha: float, exponent: float) -> Floats:
    """(m,) of α, spent by each look."""
    spent: Floats = alpha * np.minimum(np.asarray(fractions, dtype=np.float64), 1.0) ** exponent
    return spent


def crossing(bounds: Floats, fractions: Sequence[float], drift: float) -> Floats:
    """(m,) probability to have reached a bound by each look, on either side.

    Args:
        drift: the mean of z at a share of 1; 0 gives false alarms, else it is power.
    """
    walk, crossed = _Walk(fractions), np.empty(len(bounds))
    for look, edge in enumerate(bounds):
        crossed[look] = walk.beyond(edge, drift)
        walk.go_on(edge, drift)
    return np.cumsum(crossed)


class _Walk:
    """The density of the paths that have stayed within all bounds so far, on quadrature nodes."""

    def __init__(self, fractions: Sequence[float]) -> None:
        self.times = np.concatenate([[0.0], fractions])
        finest = float(np.diff(self.times).min() / self.times[-1])
        self.unit, self.weights = np.polynomial.legendre.leggauss(64 + 16 * int(np.ceil(finest**-0.5)))
        self.at, self.mass = np.zeros(1), np.ones(1)  # every path starts at 0
        self.look = 0

    @property
    def _step(self) -> tuple[float, float]:
        """Time since the last look, and its root, the spread of one step."""
        elapsed = float(self.times[self.look + 1] - self.times[self.look])
        return elapsed, elapsed**0.5

    def beyond(self, z: float, drift: float = 0.0) -> float:
        """The probability to be at |z| or more at the coming look."""
        edge = z * float(self.times[self.look + 1]) ** 0.5
        elapsed, spread = self._step
        start = self.at + drift * elapsed
        return float((ndtr((start - edge) / spread) + ndtr((-edge - start) / spread)) @ self.mass)

    def go_on(self, z: float, drift: float = 0.0) -> None:
        """Past the coming look, with those that stayed within |z|."""
        now = float(self.times[self.look + 1])
        edge = min(z, FARTHEST + abs(drift) * now**0.5) * now**0.5
        elapsed, spread = self._step
        start = self.at + drift * elapsed
        density = _normal(edge * self.unit[:, None] - start[None, :], spread) @ self.mass
        self.at, self.mass = edge * self.unit, density * self.weights * edge
        self.look += 1


@lru_cache(maxsize=4096)
def _bounds(fractions: tuple[float, ...], alpha: float, exponent: float) -> tuple[float, ...]:
    _check(fractions, alpha, exponent)
    budgets = np.diff(spent_by(fractions, alpha, exponent), prepend=0.0)
    if budgets.min() < LEAST_SPENT:
        raise InvalidInput.of("exponent", f"leaves nothing to spend on a look of {len(fractions)}")
    walk, found = _Walk(fractions), []
    for budget in budgets:
        edge = float(brentq(lambda z, b=budget: walk.beyond(z) - b, 0.0, WIDEST, xtol=1e-10))
        walk.go_on(edge)
        found.append(edge)
    return tuple(found)


def _normal(x: Floats, scale: float) -> Floats:
    density: Floats = np.exp(-0.5 * (x / scale) ** 2) / (scale * np.sqrt(2 * np.pi))
    return density


def _check(fractions: tuple[float, ...], alpha: float, exponent: float) -> None:
    if not 0 < alpha < 1:
        raise InvalidInput.of("alpha", f"must lie between 0 and 1, but is {alpha}")
    if not exponent > 0:
        raise InvalidInput.of("exponent", f"must be positive, but is {exponent}")
    steps = np.diff(np.asarray(fractions, dtype=np.float64), prepend=0.0)
    if not len(steps) or not np.isfinite(steps).all() or steps.min() < CLOSEST:
        raise InvalidInput.of("fractions", f"must increase by {CLOSEST:g} at least from look to look, from 0")
    if sum(t > 1 for t in fractions) > 1 or (1.0 in fractions and fractions[-1] > 1):
        raise InvalidInput.of("fractions", "can't go on after the planned information is in; all is spent")
