"""Doubly robust with optimistic shrinkage of the weights.

    V̂ = (1/n) Σ [ Σₐ π(a|xᵢ) q̂(xᵢ, a) + ŵᵢ (rᵢ − q̂(xᵢ, aᵢ)) ],   ŵ = λw / (w² + λ)

Minimises a bound on the squared error; between DM (λ = 0) and DR (λ infinite).
Su, Dimakopoulou, Krishnamurthy & Dudík (2020), §3.
"""

from __future__ import annotations

from experiments.ope.batch import LoggedBatch
from experiments.ope.terms import Terms, at_least_zero, modelled


def dr_os(batch: LoggedBatch, *, shrinkage: float = 100.0) -> Terms:
    expected, residual = modelled("dr-os", batch)
    w = batch.weight
    if at_least_zero("shrinkage", shrinkage) == 0:
        return Terms(plain=expected, weight=w)
    used = w / (w * w / shrinkage + 1)  # the same, and defined for an infinite λ
    return Terms(plain=expected + used * residual, weight=w)
