"""Uniform boundaries: how high a sum of mean 0 may get, at any time, once it has met a variance v.

Each is crossed with probability at most alpha, whenever one looks. Howard, Ramdas, McAuliffe & Sekhon (2021);
the figures are those of the package confseq.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammainc, gammaln, zeta

from experiments.ope.batch import Floats


def normal_mixture(v: float, alpha: float, *, v_opt: float, alpha_opt: float = 0.05) -> float:
    """√((v + ρ) ln((v + ρ)/(ρ α²))), for sub-Gaussian sums, two-sided; narrowest about v_opt. Equation 14."""
    rho = _best_rho(v_opt, alpha_opt)
    return math.sqrt((v + rho) * (math.log1p(v / rho) - 2 * math.log(alpha)))


def gamma_exponential(
    v: float, alpha: float, *, v_opt: float, scale: float, alpha_opt: float = 0.05
) -> float:
    """For sums that are sub-exponential with scale c (bounded by c, say), one-sided. Proposition 9."""
    rho = _best_rho(v_opt, 2 * alpha_opt)
    bar = -math.log(alpha)

    def beyond(s: float) -> float:
        return _gamma_exponential(s, v, rho, scale) - bar

    top = v
    while beyond(top) < 0:
        top *= 2
    found: float = brentq(beyond, 0.0, top, xtol=1e-10)
    return found


def poly_stitching(
    v: float, alpha: float, *, v_min: float, scale: float, s: float = 1.4, eta: float = 2.0
) -> float:
    """Stitched bounds over epochs of v, of the order of √(v ln ln v). Theorem 1."""
    used = max(v, v_min)
    first = (eta**0.25 + eta**-0.25) / math.sqrt(2)
    second = (math.sqrt(eta) + 1) / 2
    epochs = s * math.log(math.log(eta * used / v_min)) + math.log(float(zeta(s)) / math.log(eta) ** s)
    bits = epochs - math.log(alpha)
    tilt = second * scale * bits
    return math.sqrt(first * first * used * bits + tilt * tilt) + tilt


def empirical_bernstein_sequence(x: Floats, level: float, *, truncation: float = 0.5) -> tuple[float, float]:
    """Both ends for the mean of (m,) values in [0, 1] after the last, by predictable plug-in bets.

    Waudby-Smith & Ramdas (2024), theorem 2.
    """
    tail = (1 - level) / 2
    return _plugged_in(x, tail, truncation), 1 - _plugged_in(1 - x, tail, truncation)


def _plugged_in(x: Floats, alpha: float, truncation: float) -> float:
    t = np.arange(1, len(x) + 1)
    sums = np.cumsum(x)
    guess = np.concatenate([[0.0], (sums / t)[:-1]])
    centre = np.minimum((0.5 + sums) / (t + 1), 1)
    spread = (0.25 + np.cumsum((x - centre) ** 2)) / (t + 1)
    before = np.concatenate([[0.25], spread[:-1]])
    bet = np.minimum(np.sqrt(-2 * np.log(alpha) / (t * np.log1p(t) * before)), truncation)
    cost = (x - guess) ** 2 * (-np.log1p(-bet) - bet)
    return float((np.sum(bet * x) + math.log(alpha) - np.sum(cost)) / np.sum(bet))


def _best_rho(v: float, alpha: float) -> float:
    bits = -2 * math.log(alpha)
    return v / (bits + math.log1p(bits))


def _gamma_exponential(s: float, v: float, rho: float, scale: float) -> float:
    """ln of the mixture at a sum s."""
    square = scale * scale
    r, k, x = rho / square, (v + rho) / square, (scale * s + v) / square
    start = r * math.log(r) - float(gammaln(r)) - math.log(float(gammainc(r, r)))
    return start + float(gammaln(k)) + math.log(float(gammainc(k, x + r))) - k * math.log(x + r) + x
