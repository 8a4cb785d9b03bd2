"""Were arms drawn as often as their logged odds say? A propensity that is off bends every estimate.

    N_a = Σ 1{aᵢ = a},   E N_a = Σ μ(a|xᵢ),   Cov N = Σᵢ (diag μᵢ − μᵢ μᵢᵀ)

Given the odds, draws of all rows are independent, whoever the customer is, so no clustering is needed. The
overall statistic is dᵀ Cov⁻ d with d = N − E N, χ² with as many degrees of freedom as Cov has rank (Rao &
Scott, 1981, §2, for the generalised Pearson statistic). Arms expected too seldom are counted together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, ndtr

from experiments.ope.batch import Floats, LoggedBatch
from nba.errors import InvalidInput

LEAST_EXPECTED = 5.0
"""Draws to be expected of an arm, and of its not being drawn, for a normal approximation (Cochran, 1954)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmDraws:
    """One arm: how often it was drawn, how often its odds say, and the two-sided test of that."""

    arm: int
    drawn: int
    expected: float
    z: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """The test of all arms.

    Attributes:
        statistic, freedom, p_value: overall; with freedom 0 nothing was random, and p is 1.
        arms: those expected often enough to be tested one by one.
        pooled: how many arms were counted together.
        impossible: draws of arms whose logged odds were 0, for which no p value is needed.
    """

    statistic: float
    freedom: int
    p_value: float
    arms: tuple[ArmDraws, ...]
    pooled: int
    impossible: int

    @property
    def worst(self) -> ArmDraws | None:
        """The arm of the least p value."""
        return min(self.arms, key=lambda arm: arm.p_value, default=None)


def check_draws(batch: LoggedBatch) -> Draws:
    """Test the logged odds.

    Raises:
        InvalidInput: the batch has no `logging`, the odds of all arms.
    """
    odds = batch.logging
    if odds is None:
        raise InvalidInput.of("logging", "is needed: the odds of every arm, not the drawn one's alone")
    n, k = odds.shape
    drawn = np.bincount(batch.arm, minlength=k).astype(np.float64)
    expected = np.einsum("ij->j", odds)
    variance = expected - np.einsum("ij,ij->j", odds, odds)
    often = (expected >= LEAST_EXPECTED) & (n - expected >= LEAST_EXPECTED) & (variance >= 1)
    cells, count = _cells(odds, drawn, often)
    statistic, freedom = _pearson(cells, count)
    z = np.divide(drawn - expected, np.sqrt(np.maximum(variance, 1e-300)))
    return Draws(
        statistic=statistic,
        freedom=freedom,
        p_value=float(chdtrc(freedom, statistic)) if freedom else 1.0,
        arms=tuple(
            ArmDraws(
                arm=int(a),
                drawn=int(drawn[a]),
                expected=float(expected[a]),
                z=float(z[a]),
                p_value=float(2 * ndtr(-abs(z[a]))),
            )
            for a in np.flatnonzero(often)
        ),
        pooled=int(k - often.sum()),
        impossible=int((odds[np.arange(n), batch.arm] <= 0).sum()),
    )


def _cells(
    odds: Floats, drawn: Floats, often: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> tuple[Floats, Floats]:
    """(n, c) odds and (c,) draws, the arms that are seldom expected as one cell at the end."""
    rest = odds[:, ~often].sum(axis=1, keepdims=True)
    return np.hstack([odds[:, often], rest]), np.append(drawn[often], drawn[~often].sum())


def _pearson(cells: Floats, count: Floats) -> tuple[float, int]:
    """The statistic and its degrees of freedom; cells that add up to a constant take none."""
    expected = cells.sum(axis=0)
    covariance = np.diag(expected) - cells.T @ cells
    values, vectors = np.linalg.eigh(covariance)
    kept = values > 1e-9 * max(float(values.max()), 1.0)
    along = vectors[:, kept].T @ (count - expected)
    return float((along * along / values[kept]).sum()), int(kept.sum())
