"""How many customers an experiment needs, how sure it finds an effect, how long it takes.

z at the end has mean effect/stderr; power is the probability that a path with that drift reaches a bound at
one of the looks (spending.py), exactly for fixed and planned looks. Always valid is as good as looking at
`looks` moments. Jennison & Turnbull (2000), §3.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from experiments.ab.anytime import TUNING, bound, mixing
from experiments.ab.spending import Floats, crossing, even, group_sequential
from nba.errors import InvalidInput

Method = Literal["fixed", "group-sequential", "always-valid"]

_MOST = 1e15  # customers; nobody has more


def sample_size(
    mean: float,
    variance: float,
    effect: float,
    power: float = 0.8,
    alpha: float = 0.05,
    ratio: float = 1.0,
    method: Method = "fixed",
    looks: int = 5,
    exponent: float = 2,
    tuning: float | None = None,
) -> int:
    """Customers of control, at the end of the plan, for a two-sided test to find `effect` with this power.

    Args:
        mean: of control. It matters for a metric of zeros and ones only, told by variance = mean·(1 − mean):
            treatment then has the variance that goes with its own mean.
        variance: of one customer's value; after CUPED that is variance·(1 − ρ²), ρ being the correlation with
            the figure from before.
        effect: absolute, in the metric's unit.
        ratio: customers of treatment for each one of control.
        looks: planned for `group-sequential`; for `always-valid` how often one looks, evenly spaced.
        exponent: of group-sequential spending.
        tuning: of the always-valid interval, customers in both arms; 5,000 if None.

    Raises:
        InvalidInput: the field that can't be.
    """
    _check(variance=variance, ratio=ratio, size=abs(effect))
    _check_alpha(alpha)
    if not alpha < power < 1:
        raise InvalidInput.of("power", f"must lie between alpha and 1, but is {power}")
    other = _treatment_variance(mean, variance, effect)

    def missing(log_n: float) -> float:
        n = math.exp(log_n)
        stderr = math.sqrt(variance / n + other / (n * ratio))
        return _power(abs(effect) / stderr, n * (1 + ratio), alpha, method, looks, exponent, tuning) - power

    least = _fixed_size(variance + other / ratio, effect, power, alpha)
    if method == "fixed":
        return max(math.ceil(least), 2)
    start = math.log(least) - 1e-3  # no method needs fewer than the fixed one
    return max(math.ceil(math.exp(brentq(missing, start, math.log(_MOST), xtol=1e-7))), 2)


def power_of(
    n_control: float,
    n_treatment: float,
    variance: float,
    effect: float,
    alpha: float = 0.05,
    method: Method = "fixed",
    looks: int = 5,
    exponent: float = 2,
    tuning: float | None = None,
    treatment_variance: float | None = None,
) -> float:
    """The probability that so many customers show `effect` (absolute) by the end, two-sided.

    An effect of 0 gives the false-alarm rate. `treatment_variance` is `variance` if None; the rest is as in
    `sample_size`.
    """
    other = variance if treatment_variance is None else treatment_variance
    _check(variance=variance, treatment_variance=other, n_control=n_control, n_treatment=n_treatment)
    _check_alpha(alpha)
    stderr = math.sqrt(variance / n_control + other / n_treatment)
    n = n_control + n_treatment
    return _power(abs(effect) / stderr, n, alpha, method, looks, exponent, tuning)


def duration(needed: float, daily_arrivals: float, window_days: float) -> float:
    """Days until `needed` customers are mature: so many arrive a day, and each is watched for the window."""
    _check(daily_arrivals=daily_arrivals)
    if needed < 0 or window_days < 0:
        raise InvalidInput.of("needed" if needed < 0 else "window_days", "must be at least 0")
    return needed / daily_arrivals + window_days


def _power(
    drift: float, n: float, alpha: float, method: str, looks: int, exponent: float, tuning: float | None
) -> float:
    shares = even(1 if method == "fixed" else looks)
    return float(crossing(_edges(method, shares, n, alpha, exponent, tuning), shares, drift)[-1])


def _edges(
    method: str, shares: tuple[float, ...], n: float, alpha: float, exponent: float, tuning: float | None
) -> Floats:
    """(looks,) of |z|."""
    if method == "always-valid":
        return bound(n * mixing(TUNING if tuning is None else tuning, alpha) * np.asarray(shares), alpha)
    if method in ("fixed", "group-sequential"):
        return group_sequential(len(shares), alpha, exponent)
    raise InvalidInput.of("method", f"is fixed, group-sequential or always-valid, but was {method!r}")


def _treatment_variance(mean: float, variance: float, effect: float) -> float:
    if not math.isclose(variance, mean * (1 - mean), rel_tol=1e-9):
        return variance
    other = mean + effect
    if not 0 < other < 1:
        raise InvalidInput.of("effect", f"would move a share of {mean:g} to {other:g}, outside 0 to 1")
    return other * (1 - other)


def _fixed_size(variance: float, effect: float, power: float, alpha: float) -> float:
    """n = (z(1−α/2) + z(power))² · variance / effect²; the far side's share of power left out."""
    return float((ndtri(1 - alpha / 2) + ndtri(power)) ** 2 * variance / effect**2)


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise InvalidInput.of("alpha", f"must lie between 0 and 1, but is {alpha}")


def _check(**positive: float) -> None:
    for name, value in positive.items():
        if not value > 0 or math.isinf(value):
            field = "effect" if name == "size" else name
            raise InvalidInput.of(field, f"must be {'other than 0' if field == 'effect' else 'positive'}")
