"""How long stays in a stage last, those that still go on counted for what they are.

    S(t) = Π over ends tᵢ ≤ t of (1 − dᵢ / nᵢ)

where dᵢ stays end at tᵢ and nᵢ are not over just before (Kaplan & Meier 1958). Quantiles of the stays that
are over alone would be too short, since long ones are the last to be over.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def quantiles(lengths: Floats, over: Bools, at: Sequence[float] = (0.25, 0.5, 0.75)) -> list[float | None]:
    """The first t with S(t) ≤ 1 − q for each q; None where so many stays are not over yet.

    Args:
        lengths: (n,) of the stays, or so far; over: (n,) False for those that go on.
    """
    ends, counts = np.unique(lengths[over], return_counts=True)
    ordered = np.sort(lengths)
    at_risk = len(ordered) - np.searchsorted(ordered, ends, side="left")
    survival = np.cumprod(1.0 - counts / at_risk) if len(ends) else np.empty(0)
    found: list[float | None] = []
    for q in at:
        reached = np.flatnonzero(survival <= 1.0 - q + 1e-12)
        found.append(float(ends[reached[0]]) if len(reached) else None)
    return found
