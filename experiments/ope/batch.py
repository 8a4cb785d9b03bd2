"""The logged decisions that an off-policy estimate is made from, checked once, here.

Nothing below this class checks again. It keeps out how the log is read and how `q_hat` is fitted.
Sums here and below use einsum, not BLAS: these arrays are too small to gain from its threads, which cost up
to ten times as much when the cores are busy, and its order of summation depends on them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nba.errors import InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROW_SUM_TOLERANCE = 1e-6  # odds may have been stored as float32
ROUNDING = 1e-6  # by which a reward may leave its bounds, of the larger: it may have been stored so too


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoggedBatch:
    """n logged decisions over k arms. Anything array-like is taken; InvalidInput names a wrong field.

    Attributes:
        reward: (n,) in the playbook's currency, finite. Mature rewards only.
        arm: (n,) the arm drawn, an integer in [0, k).
        propensity: (n,) odds at which it was drawn, in (0, 1].
        target: (n, k) odds that the evaluated policy gives each arm; rows sum to 1.
        q_hat: (n, k) rewards predicted for each arm by a model that didn't see the row (cross-fitted by the
            caller), finite. Needed by the estimators with a model.
        customer: (n,) whom each decision was for; rows of one customer are taken as dependent.
        embedding: (n,) or (n, d) what each decision looked like, else (k,) or (k, d) what each arm looks
            like, as categories; equal rows are one category. Needed by `mips`. With n = k it is read as (n,).
        logging: (n, k) odds of every arm at logging time, rows sum to 1, `logging[i, arm[i]]` being the
            propensity. Makes `mips` exact where an arm wasn't always eligible.
        bounds: (least, most) that a decision's reward can be, as the playbook declares it (its clip, less the
            cost of a contact; see clip.py); None where nothing does.
        weight: (n,) derived: target odds of the logged arm over its propensity.
        expected: (n,) derived: the model's value of the target, Σₐ π(a|x) q̂(x, a); None without `q_hat`.
        residual: (n,) derived: reward less the model's prediction at the logged arm; None without `q_hat`.
        unit: (n,) derived: customers numbered from 0, None when none were given.
        units: derived: the number of customers, or n.
    """

    reward: Floats
    arm: Ints
    propensity: Floats
    target: Floats
    q_hat: Floats | None = None
    customer: NDArray[Any] | None = None
    embedding: NDArray[Any] | None = None
    logging: Floats | None = None
    bounds: tuple[float, float] | None = None
    weight: Floats = field(init=False, repr=False)
    expected: Floats | None = field(init=False, repr=False)
    residual: Floats | None = field(init=False, repr=False)
    unit: Ints | None = field(init=False, repr=False)
    units: int = field(init=False)

    def __post_init__(self) -> None:
        target = _floats("target", self.target, 2)
        n, k = target.shape
        if n == 0 or k == 0:
            raise InvalidInput.of("target", f"has shape ({n}, {k}), but needs at least one row and one arm")
        _check_odds("target", target)
        arm = _arms(self.arm, n, k)
        propensity = _sized("propensity", _floats("propensity", self.propensity, 1), (n,))
        _require("propensity", propensity, lambda p: (p > 0) & (p <= 1), "must lie in (0, 1]")
        reward = _sized("reward", _floats("reward", self.reward, 1), (n,))
        _require("reward", reward, np.isfinite, "must be finite")
        unit, units = (None, n) if self.customer is None else _number(self.customer, n)
        q_hat = None if self.q_hat is None else _predictions(self.q_hat, n, k)
        settled = {
            "target": target,
            "arm": arm,
            "propensity": propensity,
            "reward": reward,
            "q_hat": q_hat,
            "embedding": None if self.embedding is None else _embedding(self.embedding, n, k),
            "logging": None if self.logging is None else _logging(self.logging, arm, propensity, k),
            "bounds": None if self.bounds is None else _range(self.bounds, reward),
            "weight": pick(target, arm) / propensity,
            "expected": None if q_hat is None else np.einsum("ij,ij->i", target, q_hat),
            "residual": None if q_hat is None else reward - pick(q_hat, arm),
            "unit": unit,
            "units": units,
        }
        for name, value in settled.items():
            object.__setattr__(self, name, value)


def pick(table: Floats, arm: Ints) -> Floats:
    """(n,) the entry of each row of an (n, k) table that belongs to the row's arm."""
    rows = np.arange(len(arm))
    picked: Floats = table[rows, arm]
    return picked


def _floats(name: str, values: ArrayLike, ndim: int) -> Floats:
    try:
        array = np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput.of(name, f"is not an array of numbers: {error}") from error
    if array.ndim != ndim:
        raise InvalidInput.of(name, f"must have {ndim} dimension(s), but has shape {array.shape}")
    return array


def _sized(name: str, array: Floats, shape: tuple[int, ...]) -> Floats:
    if array.shape != shape:
        raise InvalidInput.of(name, f"must have shape {shape} as target tells, but has {array.shape}")
    return array


def _require(name: str, array: Floats, good: Callable[[Floats], NDArray[np.bool_]], rule: str) -> None:
    right = good(array)
    if not right.all():
        row = int(np.argwhere(~right)[0][0])
        raise InvalidInput.of(name, f"{rule}; row {row} doesn't")


def _check_odds(name: str, odds: Floats) -> None:
    if not odds.min() >= 0:  # written so that NaN fails
        raise InvalidInput.of(name, "must hold odds of at least 0")
    rows: Floats = np.einsum("ij->i", odds)
    _require(name, rows, lambda total: np.abs(total - 1) <= ROW_SUM_TOLERANCE, "rows must sum to 1")


def _arms(values: ArrayLike, n: int, k: int) -> Ints:
    given = np.asarray(values)
    if given.shape != (n,):
        raise InvalidInput.of("arm", f"must have shape {(n,)} as target tells, but has {given.shape}")
    if not np.issubdtype(given.dtype, np.integer):
        raise InvalidInput.of("arm", f"must be integers, but is {given.dtype}")
    if given.min() < 0 or given.max() >= k:
        raise InvalidInput.of("arm", f"must lie in [0, {k}), but has {given.min()} to {given.max()}")
    return given.astype(np.int64, copy=False)


def _predictions(values: ArrayLike, n: int, k: int) -> Floats:
    q_hat = _sized("q_hat", _floats("q_hat", values, 2), (n, k))
    _require("q_hat", q_hat, np.isfinite, "must be finite")
    return q_hat


def _logging(values: ArrayLike, arm: Ints, propensity: Floats, k: int) -> Floats:
    odds = _sized("logging", _floats("logging", values, 2), (len(arm), k))
    _check_odds("logging", odds)
    gap = pick(odds, arm) - propensity
    _require("logging", gap, lambda g: np.abs(g) <= ROW_SUM_TOLERANCE, "must agree with propensity")
    return odds


def _embedding(values: ArrayLike, n: int, k: int) -> NDArray[Any]:
    given = np.asarray(values)
    if given.ndim not in (1, 2) or len(given) not in (n, k):
        raise InvalidInput.of("embedding", f"must have {n} rows (decisions) or {k} (arms), has {given.shape}")
    return given


def _range(bounds: tuple[float, float], reward: Floats) -> tuple[float, float]:
    low, high = float(bounds[0]), float(bounds[1])
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InvalidInput.of("bounds", f"must be a lower and a higher number, but are {low} and {high}")
    slack = ROUNDING * max(abs(low), abs(high))
    inside = "bounds must hold every reward"
    _require(
        "reward", reward, lambda r: (r >= low - slack) & (r <= high + slack), f"{inside} ({low} to {high})"
    )
    return low, high


def _number(values: ArrayLike, n: int) -> tuple[Ints, int]:
    """Customers as numbers 0, 1, … in order of appearance, and how many there are."""
    given = np.asarray(values)
    if given.shape != (n,):
        raise InvalidInput.of("customer", f"must have shape {(n,)} as target tells, but has {given.shape}")
    if given.dtype.kind in "iu":
        return _number_whole(given)
    seen: dict[Any, int] = {}
    codes = np.fromiter((seen.setdefault(c, len(seen)) for c in given.tolist()), np.int64, n)
    if any(c is None or c != c for c in seen):
        raise InvalidInput.of("customer", "must not be missing in any row")
    return codes, len(seen)


def _number_whole(given: NDArray[Any]) -> tuple[Ints, int]:
    """The same for whole numbers, without a look at each."""
    _, first, codes = np.unique(given, return_index=True, return_inverse=True)
    turn = np.empty(len(first), dtype=np.int64)
    turn[np.argsort(first)] = np.arange(len(first))
    return turn[codes], len(first)
