"""A confidence sequence for weighted rewards: holds at every look, whatever the weights.

With X = w (r − low)/(high − low) ≥ 0 of mean μ, and X̂ guessed from the customers before,

    ln ∫ exp(λ Σ(X − μ) − (−λ − ln(1 − λ)) Σ(X − X̂)²) dF(λ)

exceeds ln(2/α) at any time with probability at most α/2, F a truncated gamma mixture. The least μ that it
allows is the lower end; the upper is that of w (high − r), since weights have mean 1. So no bound on the
weights is needed. Waudby-Smith & Ramdas (2024); Howard, Ramdas, McAuliffe & Sekhon (2021), proposition 9, for
the mixture; for bandits Waudby-Smith, Wu, Ramdas, Karampatziakis & Mineiro (2024) and
VowpalWabbit/estimators, whose figures these are.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammainc, gammaln

from experiments.ope.batch import Floats

_RHO = 1.0  # of the mixture: narrowest while the variance that was met is about that of one customer


def confidence_sequence(
    weight: Floats, rewarded: Floats, level: float, *, bounds: tuple[float, float]
) -> tuple[float, float]:
    """Both ends after the last customer.

    Args:
        weight, rewarded: (units,) customers' mean weight and mean weighted reward, in the order in which
            they came.
        bounds: the range that no reward leaves.
    """
    low, high = bounds
    tail = (1 - level) / 2
    least = _lower((rewarded - low * weight) / (high - low), tail)
    most = 1 - _lower((high * weight - rewarded) / (high - low), tail)
    return low + least * (high - low), low + most * (high - low)


def _lower(x: Floats, alpha: float) -> float:
    """The least mean in [0, 1] that (units,) values of at least 0 allow."""
    t, total, bar = len(x), float(x.sum()), -math.log(alpha)
    before = np.concatenate([[0.0], np.cumsum(x)[:-1]])
    off = x - (before + 0.5) / np.arange(1, t + 1)
    met = float(np.einsum("i,i->", off, off))
    if _wealth(total, met) <= bar:
        return 0.0
    most = min(1.0, total / t)
    if _wealth(total - t * most, met) >= bar:
        return most
    found: float = brentq(lambda mean: _wealth(total - t * mean, met) - bar, 0.0, most, xtol=1e-12)
    return found


def _wealth(s: float, v: float) -> float:
    """Its logarithm: of the gamma-exponential mixture at a sum s above the mean and a variance v met."""
    k, x = v + _RHO, s + v + _RHO
    log_rho = _RHO * math.log(_RHO) - _log_lower_gamma(_RHO, _RHO)
    return s + v + log_rho - k * math.log(x) + _log_lower_gamma(k, x)


def _log_lower_gamma(a: float, x: float) -> float:
    """ln of the unfinished gamma function from 0 to x."""
    return math.log(float(gammainc(a, x))) + float(gammaln(a))
