"""Draw one arm a row from odds and a uniform. The only place where chance becomes an arm."""

from __future__ import annotations

import numpy as np

from nba.policies.policy import Floats, Ints


def draw(odds: Floats, uniforms: Floats) -> Ints:
    """(n, k) odds and (n,) uniforms in [0, 1) → (n,) arms, by inverse CDF in arm order.

    An arm whose odds are zero is never drawn, whatever the uniform. The uniform is stretched to the sum
    of its row, so odds that add to 1 − 10⁻¹⁶ leave no gap at the end.
    """
    cumulative = np.cumsum(odds, axis=1)
    target = uniforms * cumulative[:, -1]
    # u·s < s for every u < 1 and s near 1, also rounded, so an arm above the target always exists.
    below: Ints = np.count_nonzero(cumulative <= target[:, None], axis=1)
    return below
