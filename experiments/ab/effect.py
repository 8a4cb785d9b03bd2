"""The effect of treatment over control: its size, variance and degrees of freedom, adjusted for the past.

Both tests start here, the fixed one and the always valid one; neither interval nor p value is made here.
"""

from __future__ import annotations

from dataclasses import dataclass

from experiments.ab.moments import Moments
from nba.errors import InvalidInput, NotEnoughData


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Treatment minus control, in the metric's unit, or as a share of control's mean if relative.

    Attributes:
        value, stderr: the estimate and its standard error.
        low, high: the interval; one end is infinite for a one-sided test.
        p_value: of no difference.
    """

    value: float
    stderr: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An estimate, its variance, and the degrees of freedom of that variance (Welch)."""

    value: float
    variance: float
    dof: float


def effect(control: Moments, treatment: Moments, relative: bool) -> Effect:
    """The adjusted difference; relative by the delta method.

    CUPED takes θ = cov(x, y)/var(x) from both arms' sums added up and adjusts y to y − θ(x − x̄), x̄ being the
    mean over both arms. Deng, Xu, Kohavi & Walker (2013), §3; Welch (1947) for the degrees of freedom.

    Raises:
        InvalidInput: one arm has figures from before and the other has none.
        NotEnoughData: fewer than two customers in an arm, no spread, or relative to a mean of 0.
    """
    _check_arms(control, treatment)
    both = control + treatment
    theta = both.covariance / both.before_variance if both.before_variance > 0 else 0.0
    base, base_variance = _adjusted(control, both, theta)
    other, other_variance = _adjusted(treatment, both, theta)
    a, b = base_variance / control.n, other_variance / treatment.n
    if a + b <= 0:
        raise NotEnoughData("no value differs within an arm", _sizes(control, treatment))
    dof = (a + b) ** 2 / (a * a / (control.n - 1) + b * b / (treatment.n - 1))
    if not relative:
        return Effect(value=other - base, variance=a + b, dof=dof)
    if base == 0:
        raise NotEnoughData("control's mean is 0, so nothing is relative to it", _sizes(control, treatment))
    variance = b / base**2 + a * other**2 / base**4
    return Effect(value=(other - base) / abs(base), variance=variance, dof=dof)


def _adjusted(arm: Moments, both: Moments, theta: float) -> tuple[float, float]:
    """Mean and variance of y − θ(x − x̄) in one arm."""
    mean = arm.mean - theta * (arm.before_mean - both.before_mean)
    variance = arm.variance + theta * theta * arm.before_variance - 2 * theta * arm.covariance
    return mean, max(variance, 0.0)


def check_level(level: float) -> float:
    if not 0 < level < 1:
        raise InvalidInput.of("level", f"must lie between 0 and 1, but is {level}")
    return level


def _check_arms(control: Moments, treatment: Moments) -> None:
    if min(control.n, treatment.n) < 2:
        raise NotEnoughData("each arm needs at least two customers", _sizes(control, treatment))


def _sizes(control: Moments, treatment: Moments) -> dict[str, float]:
    return {"control n": float(control.n), "treatment n": float(treatment.n)}
