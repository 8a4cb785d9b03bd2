"""Switch to the model alone where the weight is large.

    V̂ = (1/n) Σ [ Σₐ π(a|xᵢ) q̂(xᵢ, a) + 1{wᵢ ≤ threshold} wᵢ (rᵢ − q̂(xᵢ, aᵢ)) ]

Between DM (threshold 0) and DR (infinite). The bias is the model's error on the rows switched off.
Wang, Agarwal & Dudík (2017), §4; Su et al. (2020).
"""

from __future__ import annotations

import numpy as np

from experiments.ope.batch import LoggedBatch
from experiments.ope.terms import Terms, at_least_zero, modelled


def switch_dr(batch: LoggedBatch, *, threshold: float = 10.0) -> Terms:
    expected, residual = modelled("switch-dr", batch)
    used = np.where(batch.weight <= at_least_zero("threshold", threshold), batch.weight, 0.0)
    return Terms(plain=expected + used * residual, weight=batch.weight)
