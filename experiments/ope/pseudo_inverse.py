"""Pseudo-inverse estimator for slates whose slots are drawn independently: the reward is of the whole slate.

    V̂ = (1/m) Σ rᵢ (Σₗ wᵢₗ − L + 1),   wᵢₗ = π(aᵢₗ|xᵢ) / μ(aᵢₗ|xᵢ),   m slates of L slots

The rows are slots, as `slates.slots` lays them out, each with the reward of its slate; then V̂ is the mean of
(L wᵢₗ − L + 1) rᵢ over them. Unbiased if a slate's reward is a sum of effects of its slots, whatever else of
the context, and both policies draw the slots independently given it. Its variance grows with L·w², that of
IPS on whole slates with w^2L. With one slot it is IPS. Swaminathan et al. (2017), §3 and appendix A for
product policies.
"""

from __future__ import annotations

from experiments.ope.batch import LoggedBatch
from experiments.ope.terms import Terms
from nba.errors import InvalidInput


def pseudo_inverse(batch: LoggedBatch, *, slots: float = 1.0) -> Terms:
    if not slots >= 1 or slots != int(slots):
        raise InvalidInput.of("slots", f"must be a whole number of at least 1, but is {slots}")
    weight = slots * (batch.weight - 1) + 1
    return Terms(plain=weight * batch.reward, weight=weight)
