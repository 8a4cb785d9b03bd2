"""The test for a size fixed beforehand: looked at once. Looking daily needs anytime.py or spending.py."""

from __future__ import annotations

import math
from typing import Literal

from scipy.special import stdtr, stdtrit

from experiments.ab.effect import Difference, check_level, effect
from experiments.ab.moments import Moments
from nba.errors import InvalidInput

Alternative = Literal["two-sided", "greater", "less"]


def difference(
    control: Moments,
    treatment: Moments,
    relative: bool = False,
    level: float = 0.95,
    alternative: Alternative = "two-sided",
) -> Difference:
    """Welch's t test of treatment minus control.

    Args:
        relative: as a share of control's mean, by the delta method.
        alternative: "greater" (treatment is better; the interval has no upper end), "less", or "two-sided".

    Raises:
        InvalidInput: level or alternative; figures from before in one arm only.
        NotEnoughData: fewer than two customers in an arm, no spread, or relative to a mean of 0.
    """
    found, stderr, dof, t = _statistic(control, treatment, relative)
    check_level(level)
    if alternative == "two-sided":
        half = float(stdtrit(dof, 0.5 + level / 2)) * stderr
        low, high, p = found - half, found + half, 2 * float(stdtr(dof, -abs(t)))
    elif alternative == "greater":
        low, high, p = found - float(stdtrit(dof, level)) * stderr, math.inf, float(stdtr(dof, -t))
    elif alternative == "less":
        low, high, p = -math.inf, found + float(stdtrit(dof, level)) * stderr, float(stdtr(dof, t))
    else:
        raise InvalidInput.of("alternative", f"is two-sided, greater or less, but was {alternative!r}")
    return Difference(value=found, stderr=stderr, low=low, high=high, p_value=p)


def _statistic(control: Moments, treatment: Moments, relative: bool) -> tuple[float, float, float, float]:
    """The value, its standard error, degrees of freedom and t."""
    measured = effect(control, treatment, relative)
    stderr = math.sqrt(measured.variance)
    return measured.value, stderr, measured.dof, measured.value / stderr
