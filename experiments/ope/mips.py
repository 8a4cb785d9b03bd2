"""Marginalised inverse propensity score: weigh what an arm looks like, not the arm.

    V̂ = (1/n) Σ w(xᵢ, eᵢ) rᵢ,   w(x, e) = π(e|x) / μ(e|x),   π(e|x) = Σₐ π(a|x) p(e|a)

Unbiased if the reward depends on the arm through its category e alone, and each category that the target uses
was logged in that context; the variance is that of categories, not of arms. p(e|a) is 0 or 1 when the
embedding is given by arm, else the share of e in the logged rows of a, taken as known.
With all logging odds, μ(e|x) is summed from them. Without, 1/μ(e|x) is replaced by an unbiased stand-in,

    g(a|e) / (μ(a|x) p(e|a)),   g(a|e) = share of a in the logged rows of e

whose mean over the arms of e is 1/μ(e|x) if they were all eligible, and which is exact for a logging policy
that ignores x. With a category for each arm this is IPS. Saito & Joachims (2022), §3.
"""

from __future__ import annotations

import numpy as np

from experiments.ope.batch import Floats, Ints, LoggedBatch, pick
from experiments.ope.terms import Terms
from nba.errors import InvalidInput


def mips(batch: LoggedBatch) -> Terms:
    if batch.embedding is None:
        raise InvalidInput.of("embedding", "mips needs one category per decision (n,) or per arm (k,)")
    n, k = batch.target.shape
    codes = np.unique(batch.embedding, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
    by_row = len(codes) == n
    category: Ints = codes if by_row else codes[batch.arm]
    seen = _counts(batch.arm, category, k, int(codes.max()) + 1)
    if by_row:
        given_arm = seen / np.maximum(seen.sum(axis=1, keepdims=True), 1)
    else:
        given_arm = np.eye(seen.shape[1])[codes]
    by_category = np.ascontiguousarray(given_arm.T)[category]
    wanted: Floats = np.einsum("ij,ij->i", batch.target, by_category)
    if batch.logging is not None:
        weight = wanted / np.einsum("ij,ij->i", batch.logging, by_category)
    else:
        share = seen[batch.arm, category] / seen.sum(axis=0)[category]
        weight = wanted * share / (batch.propensity * pick(by_category, batch.arm))
    return Terms(plain=weight * batch.reward, weight=weight)


def _counts(arm: Ints, category: Ints, k: int, categories: int) -> Floats:
    """(k, categories) how many logged rows have this arm and this category."""
    cells = np.bincount(arm * categories + category, minlength=k * categories)
    return cells.reshape(k, categories).astype(np.float64)
