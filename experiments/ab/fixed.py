"""The test for a size fixed beforehand: looked at once. Looking daily needs anytime.py or looks.py."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy.special import stdtr, stdtrit

from experiments.ab.effect import Arm, Difference, check_level, effect
from experiments.ab.moments import Moments
from experiments.ab.ratio import Ratio
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
    return compare_once(control, treatment, relative, level, alternative)


def ratio_difference(
    control: Ratio,
    treatment: Ratio,
    relative: bool = False,
    level: float = 0.95,
    alternative: Alternative = "two-sided",
) -> Difference:
    """The same test of a ratio of sums, by the delta method over customers.

    With figures from before in both arms, CUPED adjusts the ratio for both of them (effect.py).

    Raises:
        InvalidInput, NotEnoughData: as `difference`, and NotEnoughData where denominators add up to 0.
    """
    return compare_once(control, treatment, relative, level, alternative)


def compare_once(
    control: Arm,
    treatment: Arm,
    relative: bool = False,
    level: float = 0.95,
    alternative: Alternative = "two-sided",
) -> Difference:
    """`difference` or `ratio_difference`, as the arms are."""
    measured = effect(control, treatment, relative)
    stderr = math.sqrt(measured.variance)
    test = _Welch(value=measured.value, stderr=stderr, dof=measured.dof, alternative=alternative)
    return test.at(check_level(level))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Welch:
    value: float
    stderr: float
    dof: float
    alternative: Alternative

    def at(self, level: float) -> Difference:
        low, high, p = self._found(self.value / self.stderr, level)
        told = Difference(value=self.value, stderr=self.stderr, low=low, high=high, p_value=p)
        return told.of(self)

    def _found(self, t: float, level: float) -> tuple[float, float, float]:
        """Both ends and the p value."""
        if self.alternative == "two-sided":
            half = self._half(0.5 + level / 2)
            return self.value - half, self.value + half, 2 * float(stdtr(self.dof, -abs(t)))
        if self.alternative == "greater":
            return self.value - self._half(level), math.inf, float(stdtr(self.dof, -t))
        if self.alternative == "less":
            return -math.inf, self.value + self._half(level), float(stdtr(self.dof, t))
        raise InvalidInput.of("alternative", f"is two-sided, greater or less, but was {self.alternative!r}")

    def _half(self, probability: float) -> float:
        return float(stdtrit(self.dof, probability)) * self.stderr
