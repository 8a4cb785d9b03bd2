"""Inverse propensity score, with weights clipped if asked.

    V̂ = (1/n) Σ min(wᵢ, clip) rᵢ,   wᵢ = π(aᵢ|xᵢ) / μ(aᵢ|xᵢ)

Unbiased without clipping wherever the log supports the target (μ > 0 where π > 0), with a variance that
grows as w². Clipping trades variance for a bias towards 0. Horvitz & Thompson (1952); Strehl et al. (2010);
Ionides (2008) for clipping.
"""

from __future__ import annotations

import numpy as np

from experiments.ope.batch import LoggedBatch
from experiments.ope.terms import Terms, at_least_zero


def ips(batch: LoggedBatch, *, clip: float = np.inf) -> Terms:
    used = np.minimum(batch.weight, at_least_zero("clip", clip))
    whole = batch.reward if np.isinf(clip) else None
    return Terms(plain=used * batch.reward, weight=batch.weight, multiplied=whole)
