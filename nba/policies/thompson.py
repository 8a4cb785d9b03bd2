"""Thompson sampling with exact odds: an arm's are the share of a model's heads whose best arm it is.

The M heads are stored with the model, nothing is drawn when deciding. Down the tree a head takes, at each
node, the child with the best eligible leaf below it, so the product of a leaf's odds down the tree is the
share of heads whose best leaf it is. Ties go to the first arm. Knows no tree and no floor.
"""

from __future__ import annotations

import numpy as np

from nba.policies.policy import Bools, Floats

NO_HEADS = (
    "has no draws of itself for thompson to ask; train again, with ridge or vowpal, or explore otherwise"
)
CELLS = 2_000_000  # values of heads, arms and rows at a time


def frequencies(values: Floats, eligible: Bools) -> Floats:
    """(n, M, k) values by head, (n, k) eligible arms → (n, k) odds, multiples of 1/M."""
    n, heads, k = values.shape
    best = np.where(eligible[:, None, :], values, -np.inf).argmax(axis=2)
    counts = np.bincount((best + k * np.arange(n)[:, None]).ravel(), minlength=n * k)
    odds: Floats = counts.reshape(n, k) / heads
    return odds
