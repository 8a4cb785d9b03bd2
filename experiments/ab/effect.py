"""The effect of treatment over control: its size, variance and degrees of freedom, adjusted for the past.

All tests start here, those looked at once, always or as planned; neither interval nor p value is made here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from experiments.ab.moments import Moments
from experiments.ab.ratio import Floats, Ratio
from nba.errors import InvalidInput, NotEnoughData

Arm = Moments | Ratio

_ROUNDING = 1e-12  # a variance below this share of what it is the difference of is 0 but for rounding


class Test(Protocol):
    """A test that has been made, and can tell its difference at any level."""

    def at(self, level: float) -> Difference: ...


class _Tested:
    """Room for the test beside the fields, so that a difference is its five figures and nothing else."""

    __slots__ = ("_test",)
    _test: Test


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(_Tested):
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

    def at(self, level: float) -> Difference:
        """The same comparison with its interval at another level: each test knows how its own widens.

        Raises:
            InvalidInput: the level, or a difference that was made by hand, copied or read from a file.
        """
        if not hasattr(self, "_test"):
            raise InvalidInput.of("difference", "has lost its test, so it has no interval at another level")
        return self._test.at(check_level(level))

    def of(self, test: Test) -> Difference:
        """Itself, knowing the test that made it."""
        object.__setattr__(self, "_test", test)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An estimate, its variance, and the degrees of freedom of that variance (Welch)."""

    value: float
    variance: float
    dof: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mean:
    """An arm's adjusted mean (or ratio), and the variance of that estimate."""

    value: float
    variance: float


def effect(control: Arm, treatment: Arm, relative: bool) -> Effect:
    """The adjusted difference; relative by the delta method.

    CUPED takes θ = cov(x, y)/var(x) from both arms' sums added up and adjusts y to y − θ(x − x̄), x̄ being the
    mean over both arms. Deng, Xu, Kohavi & Walker (2013), §3; Welch (1947) for the degrees of freedom.
    A ratio Y/Z is taken as the mean of (y − Rz)/z̄, R = Y/Z: the delta method over customers. Deng, Knoblich
    & Lu (2018), §3.

    Raises:
        InvalidInput: one arm has figures from before and the other has none, or one is a ratio.
        NotEnoughData: fewer than two customers in an arm, no spread, a denominator of 0, or relative to a
            mean of 0.
    """
    _check_arms(control, treatment)
    base, other = _means(control, treatment)
    a, b = base.variance, other.variance
    if a + b <= 0:
        raise NotEnoughData("no value differs within an arm", _sizes(control, treatment))
    dof = (a + b) ** 2 / (a * a / (control.n - 1) + b * b / (treatment.n - 1))
    if not relative:
        return Effect(value=other.value - base.value, variance=a + b, dof=dof)
    if base.value == 0:
        raise NotEnoughData("control's mean is 0, so nothing is relative to it", _sizes(control, treatment))
    variance = b / base.value**2 + a * other.value**2 / base.value**4
    return Effect(value=(other.value - base.value) / abs(base.value), variance=variance, dof=dof)


def _means(control: Arm, treatment: Arm) -> tuple[_Mean, _Mean]:
    if isinstance(control, Moments) and isinstance(treatment, Moments):
        both = control + treatment
        theta = both.covariance / both.before_variance if both.before_variance > 0 else 0.0
        return _adjusted(control, both, theta), _adjusted(treatment, both, theta)
    if isinstance(control, Ratio) and isinstance(treatment, Ratio):
        pool = control + treatment
        thetas = _thetas(control, treatment, pool)
        return _adjusted_ratio(control, pool, thetas), _adjusted_ratio(treatment, pool, thetas)
    raise InvalidInput.of("treatment", "must be Moments where control is, or a Ratio where control is one")


def _adjusted(arm: Moments, both: Moments, theta: float) -> _Mean:
    """y − θ(x − x̄) in one arm."""
    mean = arm.mean - theta * (arm.before_mean - both.before_mean)
    variance = arm.variance + theta * theta * arm.before_variance - 2 * theta * arm.covariance
    return _Mean(value=mean, variance=_positive(variance, arm.variance) / arm.n)


def _adjusted_ratio(arm: Ratio, pool: Ratio, thetas: Floats) -> _Mean:
    """Y/Z − θ·(x − x̄) in one arm, x being both figures from before."""
    slope = np.concatenate([_linear(arm), -thetas])
    value = arm.value - float(thetas @ (arm.means[2:] - pool.means[2:]))
    scale = float(slope**2 @ np.diag(arm.covariance))
    return _Mean(value=value, variance=_positive(float(slope @ arm.covariance @ slope), scale) / arm.n)


def _thetas(control: Ratio, treatment: Ratio, pool: Ratio) -> Floats:
    """(0,) or (2,): the least-squares slopes of the pool's linearised ratio on the two figures from before.

    Two slopes rather than one on the ratio from before: never wider, and a customer without a denominator
    from before is no special case.
    """
    for arm in (control, treatment, pool):
        if arm.totals[1] == 0:
            raise NotEnoughData("the denominators add up to 0", _sizes(control, treatment))
    spread = pool.covariance
    past, cross = spread[2:, 2:], spread[2:, :2] @ _linear(pool)
    slopes: Floats = np.asarray(np.linalg.pinv(past, rcond=1e-10, hermitian=True) @ cross, dtype=np.float64)
    return slopes


def _linear(arm: Ratio) -> Floats:
    """(2,): what the ratio gains by one more of the numerator's mean, and of the denominator's."""
    linear: Floats = np.array([1.0, -arm.value]) / arm.means[1]
    return linear


def _positive(variance: float, scale: float) -> float:
    return variance if variance > _ROUNDING * scale else 0.0


def check_level(level: float) -> float:
    if not 0 < level < 1:
        raise InvalidInput.of("level", f"must lie between 0 and 1, but is {level}")
    return level


def _check_arms(control: Arm, treatment: Arm) -> None:
    if min(control.n, treatment.n) < 2:
        raise NotEnoughData("each arm needs at least two customers", _sizes(control, treatment))


def _sizes(control: Arm, treatment: Arm) -> dict[str, float]:
    return {"control n": float(control.n), "treatment n": float(treatment.n)}
