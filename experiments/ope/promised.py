"""What the logging odds promise of an estimate, whatever was drawn: its spread, and who makes that up.

The customers that a log holds can't tell of arms that were never drawn. A policy that wants an arm of odds
.005 in a tenth of the contexts has, in 1,000 decisions, hardly met it: the influences seen come from all the
other rows, n_psi is large, the standard error is small, and Student's interval covers half the time. But the
odds are known. Let w = d/p be the target's odds (or the difference of two targets') over those of logging,
D = Σ d, and e = m + ε what the weight multiplies, of mean m, variance v and fourth central moment k·v². Over
the draw of the arm a row's influence, the model's part a + w·e − D·m, has

    E ψ² = a² + m² E(w−D)² + v E w²
    E ψ⁴ ≈ a⁴ + 6 a² (m² E(w−D)² + v E w²) + m⁴ E(w−D)⁴ + 6 m² v E (w−D)²w² + k v² E w⁴

where E is the sum over arms by p. The kurtosis k is that of rows by |w|, of those that matter; v theirs or
the whole log's, whichever is larger. Rows of a customer add as independent ones do. From these come a
standard error and an n_psi beside the log's own. Exact for the odds; that e is alike on all arms, and that
its skewness is left out, are assumptions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.ope.batch import Floats, LoggedBatch
from experiments.ope.terms import Terms
from experiments.ope.units import by_unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Promised:
    """Of an estimate before the arms were drawn: its standard error per decision, and n_psi."""

    stderr: float
    n_psi: float


def promised(batch: LoggedBatch, targets: tuple[Floats, ...], terms: list[Terms]) -> Promised | None:
    """For one (n, k) target or the difference of two, with the terms that an estimator gave of each.

    Arms without odds of logging have no say here; the overlap report tells of them. None where the log
    holds only the odds of the arm drawn, or the estimator bends its weights.
    """
    if batch.logging is None or any(each.multiplied is None for each in terms):
        return None
    left = np.mean([_left(each) for each in terms], axis=0)
    mean, variance, fourth = _residual(left, terms)
    model = _model(terms[0]) if len(terms) == 1 else _model(terms[0]) - _model(terms[1])
    own = (model - model.mean()) ** 2
    odds = _Moments.of(targets[0] if len(targets) == 1 else targets[0] - targets[1], batch.logging)
    drawn = mean**2 * odds.about + variance * odds.squared
    tail = mean**4 * odds.about_fourth + 6 * mean**2 * variance * odds.mixed + fourth * odds.fourth
    spread, tail = own + drawn, own**2 + 6 * own * drawn + tail
    by_customer = by_unit(spread, batch)
    tails = by_unit(tail, batch) + 3 * (by_customer**2 - by_unit(spread**2, batch))
    total, most = float(by_customer.sum()), float(tails.sum())
    return Promised(stderr=total**0.5 / len(batch.reward), n_psi=total**2 / most if most > 0 else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moments:
    """(n,) each, over the draw of the arm: E w², E w⁴, E (w−D)², E (w−D)⁴, E (w−D)²w²."""

    squared: Floats
    fourth: Floats
    about: Floats
    about_fourth: Floats
    mixed: Floats

    @classmethod
    def of(cls, moved: Floats, logging: Floats) -> _Moments:
        weight = np.divide(moved, logging, out=np.zeros_like(moved), where=logging > 0)
        squared = weight**2
        about = (weight - np.einsum("ij,ij->i", logging, weight)[:, None]) ** 2

        def mean(table: Floats) -> Floats:
            found: Floats = np.einsum("ij,ij->i", logging, table)
            return found

        return cls(
            squared=mean(squared),
            fourth=mean(squared**2),
            about=mean(about),
            about_fourth=mean(about**2),
            mixed=mean(about * squared),
        )


def _residual(left: Floats, terms: list[Terms]) -> tuple[float, float, float]:
    """Mean, variance and fourth central moment of what the weights multiply."""
    mean, whole = float(left.mean()), float(left.var())
    weights = [each.weight for each in terms if each.weight is not None]
    matters = np.abs(weights[0] - weights[1] if len(weights) > 1 else weights[0])
    if not matters.any():
        return mean, whole, float(((left - mean) ** 4).mean())
    squared = (left - mean) ** 2
    own = float(np.average(squared, weights=matters))
    fourth = float(np.average(squared**2, weights=matters))
    if own == 0:
        return mean, whole, float((squared**2).mean())
    variance = max(whole, own)
    return mean, variance, fourth * (variance / own) ** 2


def _left(terms: Terms) -> Floats:
    """(n,) what the weight multiplies in the influence: for a ratio, less the ratio itself."""
    if terms.multiplied is None:
        raise AssertionError("asked for the terms of bent weights")
    if terms.top is None or terms.bottom is None:
        return terms.multiplied
    return terms.multiplied - float(terms.top.sum()) / float(terms.bottom.sum())


def _model(terms: Terms) -> Floats:
    """(n,) the part of a row's term that no weight multiplies."""
    if terms.multiplied is None or terms.weight is None:
        raise AssertionError("asked for the terms of bent weights")
    if terms.plain is None:
        return np.zeros_like(terms.weight)
    return terms.plain - terms.weight * terms.multiplied if terms.top is None else terms.plain
