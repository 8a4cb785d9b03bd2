"""One arm of an experiment as sums, which add up over days, shards and servers.

Rows are independent units: one per customer, not one per visit. It keeps out any comparison of arms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nba.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """The sums of one arm.

    Attributes:
        n: customers.
        total: Σy, of the metric.
        squares: Σy². Where it equals `total` the metric is taken as 0 or 1.
        before: Σx, of the same customers' metric from before the experiment (CUPED); all three or none.
        before_squares: Σx².
        cross: Σxy.
    """

    n: int
    total: float
    squares: float
    before: float | None = None
    before_squares: float | None = None
    cross: float | None = None

    def __post_init__(self) -> None:
        given = {"total": self.total, "squares": self.squares}
        prior = {"before": self.before, "before_squares": self.before_squares, "cross": self.cross}
        if len({value is None for value in prior.values()}) > 1:
            raise InvalidInput.of("before", "give before, before_squares and cross together, or none of them")
        for name, value in (given | prior).items():
            if value is not None and not math.isfinite(value):
                raise InvalidInput.of(name, f"must be finite, but is {value}")
        if self.n < 0:
            raise InvalidInput.of("n", f"must be at least 0, but is {self.n}")
        _check_squares("squares", self.n, self.total, self.squares)
        if self.before is not None and self.before_squares is not None:
            _check_squares("before_squares", self.n, self.before, self.before_squares)

    @classmethod
    def of(cls, values: ArrayLike, before: ArrayLike | None = None) -> Moments:
        """The sums of (n,) values, and of the same customers' (n,) values from before."""
        y = finite("values", values)
        if before is None:
            return cls(n=len(y), total=float(y.sum()), squares=float(y @ y))
        x = finite("before", before)
        if x.shape != y.shape:
            raise InvalidInput.of("before", f"must have shape {y.shape} as values has, but has {x.shape}")
        return cls(
            n=len(y),
            total=float(y.sum()),
            squares=float(y @ y),
            before=float(x.sum()),
            before_squares=float(x @ x),
            cross=float(x @ y),
        )

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            n=self.n + other.n,
            total=self.total + other.total,
            squares=self.squares + other.squares,
            before=_sum(self.before, other.before),
            before_squares=_sum(self.before_squares, other.before_squares),
            cross=_sum(self.cross, other.cross),
        )

    @property
    def mean(self) -> float:
        return self.total / self.n

    @property
    def variance(self) -> float:
        """Of the metric: p(1 − p) for one of zeros and ones, else with n − 1 below."""
        if self.squares == self.total:
            return self.mean * (1 - self.mean)
        return _centred(self.n, self.total, self.total, self.squares)

    @property
    def before_mean(self) -> float:
        return 0.0 if self.before is None else self.before / self.n

    @property
    def before_variance(self) -> float:
        if self.before is None or self.before_squares is None:
            return 0.0
        return _centred(self.n, self.before, self.before, self.before_squares)

    @property
    def covariance(self) -> float:
        if self.before is None or self.cross is None:
            return 0.0
        return _centred(self.n, self.before, self.total, self.cross)


def _centred(n: int, left: float, right: float, product: float) -> float:
    return (product - left * right / n) / (n - 1)


def _sum(left: float | None, right: float | None) -> float | None:
    if left is None and right is None:
        return None
    if left is None or right is None:
        raise InvalidInput.of("before", "one of the two has no figures from before, so they can't be added")
    return left + right


def _check_squares(name: str, n: int, total: float, squares: float) -> None:
    """Cauchy and Schwarz: n Σy² ≥ (Σy)², but for rounding."""
    if squares < 0 or n * squares < total * total * (1 - 1e-9):
        raise InvalidInput.of(name, f"{squares:g} is less than {n} values of total {total:g} can have")


def finite(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """(n,) finite numbers; InvalidInput otherwise."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput.of(name, f"is not an array of numbers: {error}") from error
    if array.ndim != 1:
        raise InvalidInput.of(name, f"must have one dimension, but has shape {array.shape}")
    if not np.isfinite(array).all():
        raise InvalidInput.of(name, "must be finite")
    return array
