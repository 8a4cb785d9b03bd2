"""An interval that holds at every look at once: stop whenever, false alarms stay below 1 − level.

    ψ̂ ± σ √( 2 (Nρ² + 1) / (N²ρ²) · ln( √(Nρ² + 1) / α ) ),   N = n₀ + n₁,   σ² = N·stderr²

The asymptotic confidence sequence of a normal mixture; ρ is set so that it is narrowest about N = tuning.
Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), §2. It costs about half the power of a
fixed test; where the looks are planned, looks.py keeps nearly all of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.ab.effect import Arm, Difference, check_level, effect
from nba.errors import InvalidInput

TUNING = 5000.0
"""Customers about which the interval is narrowest, unless told otherwise."""


def always_valid(
    control: Arm,
    treatment: Arm,
    tuning: float = TUNING,
    relative: bool = False,
    level: float = 0.95,
) -> Difference:
    """Treatment minus control with an interval and a p value that may be looked at as often as one likes.

    It holds asymptotically: from some hundred customers an arm on, or as many as make the metric's mean
    nearly normal. A p value may rise again; the least so far is valid as well.

    Args:
        control, treatment: both Moments, or both a Ratio.
        tuning: the number of customers, both arms together, about which the interval is narrowest; to be
            chosen before the experiment.

    Raises:
        InvalidInput: level, tuning; figures from before in one arm only.
        NotEnoughData: fewer than two customers in an arm, no spread, or relative to a mean of 0.
    """
    alpha = 1 - check_level(level)
    rho2 = mixing(tuning, alpha)
    measured = effect(control, treatment, relative)
    stderr, information = math.sqrt(measured.variance), (control.n + treatment.n) * rho2
    return _Mixture(value=measured.value, stderr=stderr, information=information).at(level)


def mixing(tuning: float, alpha: float) -> float:
    """ρ², by which the interval is narrowest at `tuning` customers."""
    if not tuning > 0 or math.isinf(tuning):
        raise InvalidInput.of("tuning", f"must be a positive number of customers, but is {tuning}")
    return (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / tuning


def bound(information: ArrayLike, alpha: float) -> NDArray[np.float64]:
    """The |z| from which a difference shows, at each Nρ², of any shape."""
    known = np.asarray(information, dtype=np.float64)
    mass = known + 1
    found: NDArray[np.float64] = np.sqrt(2 * mass / known * (np.log(mass) / 2 - math.log(alpha)))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mixture:
    """The mixture stays the same at every level, so that one p value goes with all of them.

    Attributes:
        information: Nρ².
    """

    value: float
    stderr: float
    information: float

    def at(self, level: float) -> Difference:
        half = self.stderr * float(bound(self.information, 1 - level))
        told = Difference(
            value=self.value,
            stderr=self.stderr,
            low=self.value - half,
            high=self.value + half,
            p_value=math.exp(-max(self._log_e_value, 0.0)),
        )
        return told.of(self)

    @property
    def _log_e_value(self) -> float:
        mass = self.information + 1
        return (self.value / self.stderr) ** 2 * self.information / (2 * mass) - math.log(mass) / 2
