"""Sample ratio mismatch: did the arms get the customers they should have? If not, believe nothing else."""

from __future__ import annotations

from numpy.typing import ArrayLike
from scipy.special import chdtrc

from experiments.ab.moments import finite
from nba.errors import InvalidInput, NotEnoughData

LEAST_EXPECTED = 5.0
"""Below this expected count Pearson's statistic doesn't follow χ² (Cochran 1954)."""


def srm(observed: ArrayLike, weights: ArrayLike) -> float:
    """The p value of Pearson's χ² test that (k,) observed counts follow (k,) weights (any positive scale).

    Below 0.001 or so the assignment or the logging is broken. Fabijan et al. (2019).

    Raises:
        InvalidInput: shapes, negative counts, weights not positive, fewer than two arms.
        NotEnoughData: fewer than 5 customers expected in an arm.
    """
    counts, shares = finite("observed", observed), finite("weights", weights)
    if len(counts) < 2 or counts.shape != shares.shape:
        raise InvalidInput.of("observed", "needs one count and one weight for each of at least two arms")
    if counts.min() < 0:
        raise InvalidInput.of("observed", "must be counts of at least 0")
    if shares.min() <= 0:
        raise InvalidInput.of("weights", "must be positive")
    expected = counts.sum() * shares / shares.sum()
    if expected.min() < LEAST_EXPECTED:
        raise NotEnoughData(
            "too few customers to judge the split",
            {"smallest expected": float(expected.min()), "needed": LEAST_EXPECTED},
        )
    return float(chdtrc(len(counts) - 1, ((counts - expected) ** 2 / expected).sum()))
