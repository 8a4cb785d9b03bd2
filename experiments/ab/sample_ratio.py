"""Sample ratio mismatch: did the arms get the customers they should have? If not, believe nothing else.

`sequential_srm` while an experiment runs, at every look; `srm` once, when it has ended.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, gammaln, logsumexp

from experiments.ab.moments import finite
from nba.errors import InvalidInput, NotEnoughData

LEAST_EXPECTED = 5.0
"""Below this expected count Pearson's statistic doesn't follow χ² (Cochran 1954)."""

CONCENTRATIONS = (100.0, 1_000.0, 10_000.0)
"""How many customers' worth of belief in the weights, three sizes side by side: the large finds small faults
in large experiments, the small finds gross ones at once. Of two arms meant to be equal, 60 % in one show at
0.001 from 550 customers on, 52 % from 12,000, 51 % from 47,000, 50.5 % from 190,000."""


def srm(observed: ArrayLike, weights: ArrayLike) -> float:
    """The p value of Pearson's χ² test that (k,) observed counts follow (k,) weights (any positive scale).

    To be looked at once. Below 0.001 or so the assignment or the logging is broken. Fabijan et al. (2019).

    Raises:
        InvalidInput: shapes, negative counts, weights not positive, fewer than two arms.
        NotEnoughData: fewer than 5 customers expected in an arm.
    """
    counts, shares = _checked("observed", observed, weights)
    expected = counts.sum() * shares
    if expected.min() < LEAST_EXPECTED:
        raise NotEnoughData(
            "too few customers to judge the split",
            {"smallest expected": float(expected.min()), "needed": LEAST_EXPECTED},
        )
    return float(chdtrc(len(counts) - 1, ((counts - expected) ** 2 / expected).sum()))


def sequential_srm(
    counts: ArrayLike, weights: ArrayLike, concentrations: Sequence[float] = CONCENTRATIONS
) -> float:
    """An always-valid p value that customers fall on the arms as (k,) weights say (any positive scale).

        1 / p = ∫ Π θᵢ^nᵢ dD(θ) / Π wᵢ^nᵢ,   D = Dirichlet(concentration · w)

    averaged over the concentrations. For independent customers 1/p is a martingale of mean 1 if the weights
    are right, so p falls below α at any time at all with probability α at most (Ville): look whenever, at any
    size, from the first customer. Lindon & Malek (2022), §3.

    Args:
        counts: (k,) customers in each arm as of now.
        concentrations: to be chosen beforehand.

    Raises:
        InvalidInput: shapes, negative counts, weights not positive, fewer than two arms, concentrations.
    """
    seen, shares = _checked("counts", counts, weights)
    beliefs = finite("concentrations", concentrations)
    if not len(beliefs) or beliefs.min() <= 0:
        raise InvalidInput.of("concentrations", "must be at least one, all positive")
    return float(np.exp(-np.maximum(log_e_value(seen, shares, beliefs), 0.0)))


def log_e_value(
    counts: NDArray[np.float64],
    shares: NDArray[np.float64],
    concentrations: ArrayLike = CONCENTRATIONS,
) -> NDArray[np.float64]:
    """ln 1/p before it is cut at 0, over the last axis of (…, k) counts; shares sum to 1."""
    beliefs = np.asarray(concentrations, dtype=np.float64)
    each = [_log_mixture(counts, shares, belief) for belief in beliefs]
    found: NDArray[np.float64] = logsumexp(each, axis=0) - np.log(len(beliefs))
    return found


def _log_mixture(
    counts: NDArray[np.float64], shares: NDArray[np.float64], belief: float
) -> NDArray[np.float64]:
    prior = belief * shares
    gained = (gammaln(prior + counts) - gammaln(prior) - counts * np.log(shares)).sum(axis=-1)
    everybody = gammaln(belief + counts.sum(axis=-1)) - gammaln(belief)
    found: NDArray[np.float64] = gained - everybody
    return found


def _checked(
    name: str, counts: ArrayLike, weights: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts, and weights as shares."""
    seen, shares = finite(name, counts), finite("weights", weights)
    if len(seen) < 2 or seen.shape != shares.shape:
        raise InvalidInput.of(name, "needs one count and one weight for each of at least two arms")
    if seen.min() < 0:
        raise InvalidInput.of(name, "must be counts of at least 0")
    if shares.min() <= 0:
        raise InvalidInput.of("weights", "must be positive")
    return seen, shares / shares.sum()
