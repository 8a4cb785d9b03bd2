"""Self-normalised inverse propensity score.

    V̂ = Σ wᵢ rᵢ / Σ wᵢ,   wᵢ = π(aᵢ|xᵢ) / μ(aᵢ|xᵢ)

Biased by O(1/n), never leaves the range of r, unmoved by adding a constant to every reward.
Swaminathan & Joachims (2015), §4.
"""

from __future__ import annotations

from experiments.ope.batch import LoggedBatch
from experiments.ope.terms import Terms


def snips(batch: LoggedBatch) -> Terms:
    weight, reward = batch.weight, batch.reward
    return Terms(top=weight * reward, bottom=weight, weight=weight, multiplied=reward)
