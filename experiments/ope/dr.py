"""Doubly robust: the model's value, corrected by the weighted residuals, with weights clipped if asked.

    V̂ = (1/n) Σ [ Σₐ π(a|xᵢ) q̂(xᵢ, a) + min(wᵢ, clip) (rᵢ − q̂(xᵢ, aᵢ)) ]

Unbiased without clipping if the propensities or the model are right (logged propensities are), given that q̂
was fitted on other rows. Dudík, Erhan, Langford & Li (2014), §3.
"""

from __future__ import annotations

import numpy as np

from experiments.ope.batch import LoggedBatch
from experiments.ope.terms import Terms, at_least_zero, modelled


def dr(batch: LoggedBatch, *, clip: float = np.inf) -> Terms:
    expected, residual = modelled("dr", batch)
    used = np.minimum(batch.weight, at_least_zero("clip", clip))
    whole = residual if np.isinf(clip) else None
    return Terms(plain=expected + used * residual, weight=batch.weight, multiplied=whole)
