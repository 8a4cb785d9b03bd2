"""Direct method: believe the reward model.

    V̂ = (1/n) Σ Σₐ π(a|xᵢ) q̂(xᵢ, a)

Right only as far as q̂ is. Its interval holds the spread of contexts and nothing of the model's own error, so
it is a baseline and no evidence. Beygelzimer & Langford (2009).
"""

from __future__ import annotations

from experiments.ope.batch import LoggedBatch
from experiments.ope.terms import Terms, modelled


def dm(batch: LoggedBatch) -> Terms:
    expected, _ = modelled("dm", batch)
    return Terms(plain=expected, weight=None)
