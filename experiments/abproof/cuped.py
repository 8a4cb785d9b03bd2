"""Does CUPED's interval shrink by √(1 − ρ²), and still cover? Simulated with correlated normal values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.ab import Moments, difference

CORRELATIONS = (0.0, 0.3, 0.5, 0.7, 0.9)
EFFECT = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrinkage:
    """Mean width with CUPED over mean width without, what theory says, and how often 95 % intervals cover."""

    correlation: float
    width: float
    theory: float
    covered: float


def shrinkage(correlation: float, runs: int, per_arm: int, seed: int) -> Shrinkage:
    """`runs` experiments of two arms with this correlation of metric and figure from before."""
    rng = np.random.default_rng(seed)
    adjusted = plain = 0.0
    covered = 0
    for _ in range(runs):
        x = rng.standard_normal((2, per_arm))
        noise = rng.standard_normal((2, per_arm))
        y = 10 + correlation * x + (1 - correlation**2) ** 0.5 * noise + np.array([[0.0], [EFFECT]])
        found = difference(Moments.of(y[0], x[0]), Moments.of(y[1], x[1]))
        covered += found.low <= EFFECT <= found.high
        adjusted += found.high - found.low
        without = difference(Moments.of(y[0]), Moments.of(y[1]))
        plain += without.high - without.low
    return Shrinkage(
        correlation=correlation,
        width=adjusted / plain,
        theory=(1 - correlation**2) ** 0.5,
        covered=covered / runs,
    )
