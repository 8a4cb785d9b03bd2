"""Bounds for a planned number of looks: the false-alarm budget is spent as the data come in.

By look k of K, equally spaced, α·(k/K)^exponent has been spent. With B a Brownian motion and t = k/K, the
bound b of the look solves P(|B| stayed within the earlier bounds, |B(t)| ≥ b√t) = what the look may spend;
the density of the paths still within is carried from look to look by Gauss–Legendre quadrature.
Lan & DeMets (1983); Kim & DeMets (1987) for the power family; Armitage, McPherson & Rowe (1969) for the
recursion.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from nba.errors import InvalidInput

WIDEST = 38.0  # a z beyond which a double knows no probability


def group_sequential(looks: int = 5, alpha: float = 0.05, exponent: float = 2) -> NDArray[np.float64]:
    """(looks,) two-sided bounds: stop at look k if |z| is at least the k-th.

    Raises:
        InvalidInput: looks below 1, alpha outside (0, 1), exponent not positive, or a first look with nothing
            to spend.
    """
    spent = _spending(looks, alpha, exponent)
    unit, quadrature = np.polynomial.legendre.leggauss(64 + 16 * int(np.ceil(np.sqrt(looks))))
    step = float(np.sqrt(1 / looks))
    at, mass = np.zeros(1), np.ones(1)  # every path starts at 0
    bounds = np.empty(looks)
    for look in range(looks):
        root_time = float(np.sqrt((look + 1) / looks))
        budget = spent[look] - (spent[look - 1] if look else 0.0)
        bounds[look] = _bound(at, mass, root_time, step, budget)
        edge = bounds[look] * root_time
        density = _normal(edge * unit[:, None] - at[None, :], step) @ mass
        at, mass = edge * unit, density * quadrature * edge
    return bounds


def _bound(
    at: NDArray[np.float64], mass: NDArray[np.float64], root_time: float, step: float, budget: float
) -> float:
    """The z that paths at `at`, of this mass, reach one step later with probability `budget`."""

    def excess(z: float) -> float:
        edge = z * root_time
        return float((ndtr((at - edge) / step) + ndtr((-edge - at) / step)) @ mass) - budget

    return float(brentq(excess, 0.0, WIDEST, xtol=1e-10))


def _normal(x: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    density: NDArray[np.float64] = np.exp(-0.5 * (x / scale) ** 2) / (scale * np.sqrt(2 * np.pi))
    return density


def _spending(looks: int, alpha: float, exponent: float) -> NDArray[np.float64]:
    if looks < 1:
        raise InvalidInput.of("looks", f"must be at least 1, but is {looks}")
    if not 0 < alpha < 1:
        raise InvalidInput.of("alpha", f"must lie between 0 and 1, but is {alpha}")
    if not exponent > 0:
        raise InvalidInput.of("exponent", f"must be positive, but is {exponent}")
    spent: NDArray[np.float64] = alpha * (np.arange(1, looks + 1) / looks) ** exponent
    if spent[0] < 1e-15:
        raise InvalidInput.of("exponent", f"leaves nothing to spend on the first of {looks} looks")
    return spent
