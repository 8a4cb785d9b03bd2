"""The same difference as a Bayesian with no prior opinion tells it: the chance that treatment is better.

A way to say it, not a test: watched daily, a chance above 95 % turns up without any effect as often as a
p value of 0.05 does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtr, ndtri

from experiments.ab.effect import Arm, check_level, effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """Normal about the estimate, from a flat prior.

    Attributes:
        value, stderr: mean and standard deviation.
        low, high: its middle `level`.
        better: the chance that treatment's mean is above control's.
        risk_control, risk_treatment: what choosing this arm is expected to lose against the better one, in
            the metric's unit (or as a share if relative). Stucchio (2015).
    """

    value: float
    stderr: float
    low: float
    high: float
    better: float
    risk_control: float
    risk_treatment: float


def posterior(control: Arm, treatment: Arm, relative: bool = False, level: float = 0.95) -> Posterior:
    """Raises InvalidInput and NotEnoughData as `difference` does."""
    half = float(ndtri(0.5 + check_level(level) / 2))
    measured = effect(control, treatment, relative)
    value, spread = measured.value, math.sqrt(measured.variance)
    z = value / spread
    gain = spread * (math.exp(-z * z / 2) / math.sqrt(2 * math.pi) + z * float(ndtr(z)))
    return Posterior(
        value=value,
        stderr=spread,
        low=value - half * spread,
        high=value + half * spread,
        better=float(ndtr(z)),
        risk_control=gain,
        risk_treatment=gain - value,
    )
