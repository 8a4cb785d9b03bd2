"""From terms to an estimate with its interval, for one policy or for the difference of two.

One path for all estimators: influence by row, summed by customer, then the sampling variance of a mean over
independent customers. It keeps out what any estimator computes (its own file) and where data come from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtrit

from experiments.ope.batch import Floats, LoggedBatch
from experiments.ope.registry import terms_of
from experiments.ope.terms import Terms, linearise
from nba.errors import InvalidInput, NotEnoughData

LEAST_CUSTOMERS = 2
"""With one customer there is no spread to measure."""

LEAST_EFFECTIVE = 1.5
"""Below, one customer holds about four fifths of the weight or more."""

LEAST_SPREAD = 1.1
"""An n_psi below it means that one customer makes up 95 % of the variance or more."""

ROUNDING = 1e-12
"""A spread this small beside the terms is rounding, not data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with what is known about it.

    Attributes:
        value: in the unit of the reward, per decision.
        stderr: its standard error, over customers where they are given, else over rows.
        low, high: the interval at the level asked for.
        n: logged decisions.
        effective_n: Kish's (Σw)²/Σw² over customers (rows), w their importance weights before clipping; the
            smaller of the two for a difference.
    """

    value: float
    stderr: float
    low: float
    high: float
    n: int
    effective_n: float


def estimate(name: str, batch: LoggedBatch, level: float = 0.95, **hyper: float) -> Estimate:
    """What the target policy would have earned per decision.

    Raises:
        InvalidInput: no such estimator or hyperparameter, or the batch lacks what it needs.
        NotEnoughData: fewer than two customers, no or hardly any weight on what the target does, or no spread
            among the rewards that count (all equal, or a single one that differs).
    """
    terms = terms_of(name, batch, hyper)
    effective = _effective(name, terms, batch)
    value, influence = linearise(terms)
    psi = by_unit(influence, batch)
    if terms.weight is not None:
        _check_spread(name, psi, _size(terms), batch, effective)
    return _with_interval(name, value, psi, batch, effective, level)


def difference(
    name: str, batch: LoggedBatch, target_a: Floats, target_b: Floats, level: float = 0.95, **hyper: float
) -> Estimate:
    """The paired difference a − b of two (n, k) target policies on the same rows; `batch.target` is not used.

    Much narrower than two separate intervals where the policies agree. Equal targets differ by 0 ± 0; targets
    that differ where the log can't tell them apart are refused.

    Raises:
        InvalidInput, NotEnoughData: as for `estimate`.
    """
    value, effective, influence, size = 0.0, np.inf, np.zeros(len(batch.reward)), 0.0
    for sign, target in ((1.0, target_a), (-1.0, target_b)):
        with_target = replace(batch, target=target)
        terms = terms_of(name, with_target, hyper)
        effective = min(effective, _effective(name, terms, with_target))
        one, psi = linearise(terms)
        value += sign * one
        influence += sign * psi
        size += _size(terms)
    psi = by_unit(influence, batch)
    if terms.weight is not None and not np.array_equal(target_a, target_b):
        _check_spread(name, psi, size, batch, effective)
    return _with_interval(name, value, psi, batch, effective, level)


def by_unit(rows: Floats, batch: LoggedBatch) -> Floats:
    """(units,) the sum over each customer's rows, or the rows themselves where no customer is given."""
    if batch.unit is None:
        return rows
    return np.bincount(batch.unit, weights=rows, minlength=batch.units).astype(np.float64, copy=False)


def kish(weight: Floats) -> float:
    """(Σw)²/Σw², the number of equal weights that would know as much; 0 where all are 0."""
    squares = sum_of_squares(weight)
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def sum_of_squares(x: Floats) -> float:
    return float(np.einsum("i,i->", x, x))


def spread_count(psi: Floats) -> float:
    """n_psi = (Σψ²)²/Σψ⁴, how many customers make up the variance; 0 where there is none."""
    return kish(psi * psi)


def _effective(name: str, terms: Terms, batch: LoggedBatch) -> float:
    """Kish's count of the customers' weights, or the refusal to go on."""
    effective = float(batch.units) if terms.weight is None else kish(by_unit(terms.weight, batch))
    figures = _figures(batch, effective)
    if batch.units < LEAST_CUSTOMERS:
        raise NotEnoughData(f"{name}: a standard error needs at least two customers", figures)
    if effective == 0:
        raise NotEnoughData(f"{name}: no logged decision has weight under the target", figures)
    if effective < LEAST_EFFECTIVE:
        raise NotEnoughData(f"{name}: one customer holds nearly all the weight", figures)
    return effective


def _check_spread(name: str, psi: Floats, size: float, batch: LoggedBatch, effective: float) -> None:
    """Refuse an interval of width 0, which a log without a single conversion would give."""
    if np.abs(psi).max() <= ROUNDING * size:
        raise NotEnoughData(
            f"{name}: the logged rewards that count don't differ, so their spread is unknown",
            _figures(batch, effective, 0.0),
        )


def _with_interval(
    name: str, value: float, psi: Floats, batch: LoggedBatch, effective: float, level: float
) -> Estimate:
    """Student's t with n_psi − 1 degrees of freedom (at least 1), which widens where few customers decide.

    n_psi customers of equal influence would give this variance, so it is m − 1 for m alike. On six simulated
    logs with effective samples of 18 to 304, normal intervals for IPS covered 85 to 94 %, these 93 to 96 %.
    """
    if not 0 < level < 1:
        raise InvalidInput.of("level", f"must lie between 0 and 1, but is {level}")
    n, m = len(batch.reward), batch.units
    stderr = float(np.sqrt(sum_of_squares(psi) * m / (m - 1))) / n
    if stderr == 0:
        return Estimate(value=value, stderr=0.0, low=value, high=value, n=n, effective_n=effective)
    n_psi = spread_count(psi)
    if n_psi < LEAST_SPREAD:
        raise NotEnoughData(f"{name}: one customer makes up the spread", _figures(batch, effective, n_psi))
    half = float(stdtrit(max(n_psi - 1, 1.0), 0.5 + level / 2)) * stderr
    return Estimate(
        value=value, stderr=stderr, low=value - half, high=value + half, n=n, effective_n=effective
    )


def _size(terms: Terms) -> float:
    """How large the terms are, to tell a spread from rounding."""
    size = 0.0 if terms.plain is None else float(np.abs(terms.plain).max())
    if terms.top is not None and terms.bottom is not None:
        size += float(np.abs(terms.top).max() / terms.bottom.mean())
    return size


def _figures(batch: LoggedBatch, effective: float, n_psi: float | None = None) -> dict[str, float]:
    figures = {"n": float(len(batch.reward)), "customers": float(batch.units), "effective_n": effective}
    return figures if n_psi is None else figures | {"n_psi": n_psi}
