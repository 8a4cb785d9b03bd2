"""An interval that holds at every look at once: stop whenever, false alarms stay below 1 − level.

    ψ̂ ± σ √( 2 (Nρ² + 1) / (N²ρ²) · ln( √(Nρ² + 1) / α ) ),   N = n₀ + n₁,   σ² = N·stderr²

The asymptotic confidence sequence of a normal mixture; ρ is set so that it is narrowest about N = tuning.
Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), §2. It costs about half the power of a
fixed test; where the looks are planned, spending.py keeps nearly all of it.
"""

from __future__ import annotations

import math

from experiments.ab.effect import Difference, check_level, effect
from experiments.ab.moments import Moments
from nba.errors import InvalidInput


def always_valid(
    control: Moments,
    treatment: Moments,
    tuning: float = 5000,
    relative: bool = False,
    level: float = 0.95,
) -> Difference:
    """Treatment minus control with an interval and a p value that may be looked at as often as one likes.

    Args:
        tuning: the number of customers, both arms together, about which the interval is narrowest; to be
            chosen before the experiment.

    Raises:
        InvalidInput: level, tuning; figures from before in one arm only.
        NotEnoughData: fewer than two customers in an arm, no spread, or relative to a mean of 0.
    """
    if not tuning > 0 or math.isinf(tuning):
        raise InvalidInput.of("tuning", f"must be a positive number of customers, but is {tuning}")
    alpha = 1 - check_level(level)
    measured = effect(control, treatment, relative)
    n = control.n + treatment.n
    rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / tuning
    mass = n * rho2 + 1
    half = math.sqrt(measured.variance * 2 * mass / (n * rho2) * math.log(math.sqrt(mass) / alpha))
    z2 = measured.value**2 / measured.variance
    log_e_value = z2 * n * rho2 / (2 * mass) - math.log(mass) / 2
    return Difference(
        value=measured.value,
        stderr=math.sqrt(measured.variance),
        low=measured.value - half,
        high=measured.value + half,
        p_value=math.exp(-max(log_e_value, 0.0)),
    )
