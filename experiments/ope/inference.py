"""From terms to an estimate with its interval, for one policy or for the difference of two.

One path for all estimators: influence by row, summed by customer, what the log has on it, and the interval
that this allows. It keeps out what any estimator computes (its own file), the rules (choice.py) and the
formulas of intervals (intervals/).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from experiments.ope.batch import Floats, LoggedBatch
from experiments.ope.choice import Evidence, check_weight, choose, ends, gather
from experiments.ope.promised import promised
from experiments.ope.registry import terms_of
from experiments.ope.terms import Terms, linearise
from experiments.ope.units import by_unit, kish, spread_count, sum_of_squares
from nba.errors import InvalidInput

__all__ = [
    "Estimate",
    "by_unit",
    "difference",
    "estimate",
    "evidence",
    "kish",
    "spread_count",
    "sum_of_squares",
]

ROUNDING = 1e-12
"""A spread this small beside the terms is rounding, not data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with what is known about it.

    Attributes:
        value: in the unit of the reward, per decision.
        stderr: its standard error by the delta method, over customers where they are given, else over rows;
            what the odds promised, where that is more and the odds of all arms were logged.
        low, high: the interval at the level asked for. It needn't lie evenly about the value.
        n: logged decisions.
        effective_n: Kish's (Σw)²/Σw² over customers (rows), w their importance weights before clipping; the
            smaller of the two for a difference.
        n_psi: (Σψ²)²/Σψ⁴ over customers' influences: how many customers make up the variance; what the odds
            promised, where that is less.
        interval: which one was used, `student` or `cressie-read`; `exact` for a policy beside itself.
        rewarded: customers with weight whose reward differs from the common one.
    """

    value: float
    stderr: float
    low: float
    high: float
    n: int
    effective_n: float
    n_psi: float = float("inf")
    interval: str = "student"
    rewarded: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Summed:
    """An estimate's value, its customers' influences, the (n,) weights it rests on and what the log has."""

    value: float
    psi: Floats
    weights: tuple[Floats, ...]
    evidence: Evidence


def estimate(name: str, batch: LoggedBatch, level: float = 0.95, **hyper: float) -> Estimate:
    """What the target policy would have earned per decision.

    Raises:
        InvalidInput: no such estimator or hyperparameter, or the batch lacks what it needs.
        NotEnoughData: fewer than two customers, no or hardly any weight on what the target does, no spread
            among the rewards that count (all equal, or one that differs), or rewards of unknown range so
            uneven that the log can't show it. The figures say what there was and what is needed.
    """
    _check_level(level)
    return _judged(name, batch, _summed(name, batch, (batch.target,), hyper), level)


def difference(
    name: str, batch: LoggedBatch, target_a: Floats, target_b: Floats, level: float = 0.95, **hyper: float
) -> Estimate:
    """The paired difference a − b of two (n, k) target policies on the same rows; `batch.target` is not used.

    Much narrower than two separate intervals where the policies agree and many customers tell them apart;
    where few do, it is the two intervals' ends, each at half the error. Equal targets differ by 0 ± 0;
    targets that differ where the log can't tell them apart are refused.

    Raises:
        InvalidInput, NotEnoughData: as for `estimate`.
    """
    _check_level(level)
    if not np.array_equal(target_a, target_b):
        return _judged(name, batch, _summed(name, batch, (target_a, target_b), hyper), level)
    own = replace(batch, target=target_a)
    terms = terms_of(name, own, hyper)
    effective = check_weight(name, own, terms.weight)
    linearise(terms)  # refuses what has no value
    n = len(batch.reward)
    return Estimate(value=0, stderr=0, low=0, high=0, n=n, effective_n=effective, interval="exact")


def evidence(name: str, batch: LoggedBatch, **hyper: float) -> Evidence:
    """What the log has on `estimate(name, batch)`, also where that is refused for too few rewards.

    Raises:
        InvalidInput: as for `estimate`.
        NotEnoughData: fewer than two customers, or no or hardly any weight.
    """
    return _summed(name, batch, (batch.target,), hyper).evidence


def _summed(name: str, batch: LoggedBatch, targets: tuple[Floats, ...], hyper: dict[str, float]) -> _Summed:
    """The first target's estimate, less the second's where there is one."""
    terms, effective = [], np.inf
    for target in targets:
        own = batch if target is batch.target else replace(batch, target=target)
        terms.append(terms_of(name, own, hyper))
        effective = min(effective, check_weight(name, batch, terms[-1].weight))
    weights = tuple(each.weight for each in terms if each.weight is not None)
    value, influence = linearise(terms[0])
    for other in terms[1:]:
        less, psi = linearise(other)
        value, influence = value - less, influence - psi
    summed = by_unit(influence, batch)
    if np.abs(summed).max() <= ROUNDING * sum(map(_size, terms)):
        summed = np.zeros_like(summed)
    found = gather(batch, summed, effective, weights, promised(batch, targets, terms))
    return _Summed(value=value, psi=summed, weights=weights, evidence=found)


def _judged(name: str, batch: LoggedBatch, summed: _Summed, level: float) -> Estimate:
    found = summed.evidence
    interval = choose(name, found)
    low, high = ends(summed.value, batch, summed.weights, found, interval, level)
    return Estimate(
        value=summed.value,
        stderr=found.stderr,
        low=low,
        high=high,
        n=found.n,
        effective_n=found.effective_n,
        n_psi=found.n_psi,
        interval=interval,
        rewarded=found.rewarded,
    )


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise InvalidInput.of("level", f"must lie between 0 and 1, but is {level}")


def _size(terms: Terms) -> float:
    """How large the terms are, to tell a spread from rounding."""
    size = 0.0 if terms.plain is None else float(np.abs(terms.plain).max())
    if terms.top is not None and terms.bottom is not None:
        size += float(np.abs(terms.top).max() / terms.bottom.mean())
    return size
