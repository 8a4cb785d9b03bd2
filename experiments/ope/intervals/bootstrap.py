"""Studentised bootstrap over customers: the quantiles of the t statistic among resampled customers.

    V̂ − q₁₋α⸝₂ · s ≤ V ≤ V̂ − qα⸝₂ · s,   q quantiles of t* = mean(ψ*) / s(ψ*)

Second-order right where the influence is skewed, which plain percentiles aren't. A self-normalised
estimate is resampled through its influence, so its normaliser isn't held fixed. Efron & Tibshirani
(1993), §12.5; Hall (1992), §3.4. It costs `resamples` passes over the customers.
"""

from __future__ import annotations

import numpy as np

from experiments.ope.batch import Floats
from experiments.ope.intervals.student import standard_error

_CELLS = 2_000_000  # drawn at a time, to bound the memory


def bootstrap(
    value: float, psi: Floats, n: int, level: float, *, seed: int, resamples: int = 1_000
) -> tuple[float, float]:
    """Both ends. psi: (units,) influence values by customer; n: decisions; the same seed, the same ends.

    Resamples without any spread are left out; ends are infinite where none has.
    """
    m = len(psi)
    rng = np.random.default_rng(seed)
    rows = max(_CELLS // m, 1)
    parts = [_statistics(psi, rng, min(rows, resamples - at)) for at in range(0, resamples, rows)]
    t = np.concatenate(parts)
    if not len(t):
        return -np.inf, np.inf
    low, high = np.quantile(t, [0.5 - level / 2, 0.5 + level / 2])
    stderr = standard_error(psi, n)
    return value - float(high) * stderr, value - float(low) * stderr


def _statistics(psi: Floats, rng: np.random.Generator, resamples: int) -> Floats:
    """(≤ resamples,) the t statistics of resampled customers."""
    m = len(psi)
    drawn = psi[rng.integers(m, size=(resamples, m))]
    mean = np.einsum("ij->i", drawn) / m
    square = np.einsum("ij,ij->i", drawn, drawn) / m - mean * mean
    some = square > 1e-12 * float(np.einsum("i,i->", psi, psi)) / m
    stderr = np.sqrt(square[some] / (m - 1))
    t: Floats = mean[some] / stderr
    return t
