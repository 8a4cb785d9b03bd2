"""Self-normalised doubly robust.

    V̂ = (1/n) Σ Σₐ π(a|xᵢ) q̂(xᵢ, a) + Σ wᵢ (rᵢ − q̂(xᵢ, aᵢ)) / Σ wᵢ

Biased by O(1/n); steadier than DR where weights are heavy. Thomas & Brunskill (2016), §5;
Kallus & Uehara (2019).
"""

from __future__ import annotations

from experiments.ope.batch import LoggedBatch
from experiments.ope.terms import Terms, modelled


def sndr(batch: LoggedBatch) -> Terms:
    expected, residual = modelled("sndr", batch)
    weight = batch.weight
    return Terms(plain=expected, top=weight * residual, bottom=weight, weight=weight, multiplied=residual)
