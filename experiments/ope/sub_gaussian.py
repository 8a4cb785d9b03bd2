"""Sub-Gaussian weights in IPS and DR: a smooth shrinkage whose tails allow a bound.

    ŵ = w / (1 − λ + λw),   λ in [0, 1];   λ = 0 leaves w as it is

The bias vanishes with λ. Metelli, Russo & Restelli (2021), §4.
"""

from __future__ import annotations

from experiments.ope.batch import Floats, LoggedBatch
from experiments.ope.terms import Terms, modelled
from nba.errors import InvalidInput


def sg_ips(batch: LoggedBatch, *, shrinkage: float = 0.05) -> Terms:
    return Terms(plain=_shrunk(batch, shrinkage) * batch.reward, weight=batch.weight)


def sg_dr(batch: LoggedBatch, *, shrinkage: float = 0.05) -> Terms:
    expected, residual = modelled("sg-dr", batch)
    return Terms(plain=expected + _shrunk(batch, shrinkage) * residual, weight=batch.weight)


def _shrunk(batch: LoggedBatch, shrinkage: float) -> Floats:
    if not 0 <= shrinkage < 1:
        raise InvalidInput.of("shrinkage", f"must lie in [0, 1), but is {shrinkage}")
    return batch.weight / (1 - shrinkage + shrinkage * batch.weight)
