"""Cressie–Read: the least and largest value among reweighings of the log that are not too far from it.

Customers have mean weight w and mean weighted reward y. One customer is added whom the log doesn't hold, of
weight u in {0, ∞} and the worst reward r. Among (signed) masses on these m + 1 with mean weight 1, and a
Euclidean divergence from uniform of at most the least possible plus an F quantile, the least value is that of
a regression of y on w, read off at w = 1, less a multiple of its residual spread:

    ȳ + (1 − w̄) cov(w, y)/var(w) − √(slack · resid),   slack = (d + F)/(m + 1) − (1 − w̄)²/var(w)

So the known mean of the weights is used, and what was never seen has its say: hence it covers with an
effective sample of 15, where normal intervals don't. Karampatziakis, Langford & Mineiro (2020), §3, with
power −2; equal to VowpalWabbit/estimators. Asymptotic, not proved for few customers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import fdtri

from experiments.ope.batch import Floats
from experiments.ope.units import sum_of_squares


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sums:
    """Over m customers: of w, w², y, wy and y²."""

    m: int
    w: float
    ww: float
    y: float
    wy: float
    yy: float


def cressie_read(
    weight: Floats,
    rewarded: Floats,
    level: float,
    *,
    bounds: tuple[float, float],
    freedom: float | None = None,
) -> tuple[float, float]:
    """Both ends.

    Args:
        weight: (units,) customers' mean importance weight, whose mean is 1 but for chance.
        rewarded: (units,) customers' mean weighted reward.
        bounds: the range that no reward leaves; nor do the ends.
        freedom: the second degrees of freedom of the F quantile; units by default. Fewer widen it.
    """
    sums = _Sums(
        m=len(weight),
        w=float(weight.sum()),
        ww=sum_of_squares(weight),
        y=float(rewarded.sum()),
        wy=float(np.einsum("i,i->", weight, rewarded)),
        yy=sum_of_squares(rewarded),
    )
    least = min(0.0, float(weight.min()))
    far = float(fdtri(1, sums.m if freedom is None else freedom, level))
    slack = (_divergence(sums, least) + far) / (sums.m + 1)
    low, high = (
        _end(sums, reward, sign, slack, least) for reward, sign in ((bounds[0], 1.0), (bounds[1], -1.0))
    )
    return max(low, bounds[0]), min(high, bounds[1])


def _divergence(sums: _Sums, least: float) -> float:
    """The least divergence at which the mean weight can be 1, with the added customer's help."""
    m = sums.m
    if sums.w < m:  # the weight that is missing sits on a customer never seen
        return 1 + 1 / m
    mean = (least + sums.w) / (1 + m)
    return (1 + m) * (mean - 1) ** 2 / ((least * least + sums.ww) / (1 + m) - mean * mean)


def _end(sums: _Sums, reward: float, sign: float, slack: float, least: float) -> float:
    """The farther of the ends that the two added customers give; the range's own where neither gives one."""
    ends = [_with_infinite(sums, reward, slack), _with_finite(sums, reward, slack, least)]
    found = [value - sign * spread for value, spread in ends if not math.isnan(spread)]
    if not found:
        return reward
    return min(found) if sign > 0 else max(found)


def _with_infinite(sums: _Sums, reward: float, slack: float) -> tuple[float, float]:
    """Value and spread with an added customer of endless weight: all that is missing earns `reward`."""
    m, r = sums.m, reward
    mean = (sums.y - r * sums.w) / m
    residual = (sums.yy - 2 * r * sums.wy + r * r * sums.ww - m * mean * mean) / (1 + m)
    return r + mean, _root(residual, slack - 1 / m)


def _with_finite(sums: _Sums, reward: float, slack: float, u: float) -> tuple[float, float]:
    """Value and spread with an added customer of weight u."""
    count, r = 1 + sums.m, reward
    w, y = (u + sums.w) / count, (u * r + sums.y) / count
    var = (u * u + sums.ww) / count - w * w
    if var <= 0:
        return y, math.nan
    cov = (u * u * r + sums.wy) / count - w * y
    residual = (u * u * r * r + sums.yy) / count - y * y - cov * cov / var
    return y + (1 - w) * cov / var, _root(residual, slack - (1 - w) ** 2 / var)


_ROUNDING = 1e-18


def _root(residual: float, slack: float) -> float:
    """√(residual · slack); NaN where these masses can't have mean weight 1 within the divergence."""
    product = residual * slack
    if abs(product) <= _ROUNDING:
        return 0.0
    return math.sqrt(product) if slack > 0 and product > 0 else math.nan
