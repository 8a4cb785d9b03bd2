"""Ridge regression of each arm's reward, exact after every decision. Knows columns, not what they mean.

    θₐ(c) = argmin Σ w (r − c − zᵀθ)² + λ‖θ‖²   over the decisions that drew arm a
    score = c + zᵀθₐ(c) = zᵀθₐ + c (1 − zᵀuₐ)

c is what an arm is worth where nothing is known of it. The score is linear in it: θₐ = θₐ(0) regresses the
rewards and uₐ ones, so one set of sums answers for every c. 1 − zᵀu falls from 1 to 0 as decisions like z
come in: with c above what arms earn it makes each be tried, and is linear, where a confidence bound is not.

The inverse of Σ w z zᵀ + λI is kept and moved by one rank (Sherman and Morrison, 1950), so a decision costs
O(d²). `nba/policies/ridge.py` solves the same least squares from sums, in one go.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dger

from nba.policies.policy import Floats


class OnlineRidge:
    """k regressions on rows of (n, d) columns."""

    def __init__(self, columns: Floats, arms: int, strength: float) -> None:
        d = columns.shape[1]
        self.columns = columns
        self.theta = np.zeros((arms, 2, d))  # of rewards, of ones
        self.inverse = np.zeros((arms, d, d))
        self.inverse[:, np.arange(d), np.arange(d)] = 1.0 / strength

    def parts(self, row: int) -> Floats:
        """(k, 2) what is known of each arm, and how much is not: zᵀθ and 1 − zᵀu."""
        parts: Floats = self.theta @ self.columns[row]
        parts[:, 1] = 1.0 - parts[:, 1]
        return parts

    def scores(self, row: int, start: float = 0.0) -> Floats:
        """(k,) expected rewards, c being `start`."""
        parts = self.parts(row)
        scores: Floats = parts[:, 0] + start * parts[:, 1]
        return scores

    def variances(self, rows: slice) -> Floats:
        """(m, k) zᵀ(A + λI)⁻¹z: the posterior variance of a score, in units of the residual's."""
        z = self.columns[rows]
        spread: Floats = ((z @ self.inverse) * z).sum(axis=2).T
        return spread

    def learn(self, row: int, arm: int, reward: float, weight: float = 1.0) -> None:
        """Add one decision."""
        z = self.columns[row]
        gain = self.inverse[arm] @ z
        spread = 1.0 / weight + gain @ z
        missed = np.array([reward, 1.0]) - self.theta[arm] @ z
        self.theta[arm] += np.multiply.outer(missed / spread, gain)
        # In place: the transposed view of a symmetric matrix is what BLAS wants.
        dger(-1.0 / spread, gain, gain, a=self.inverse[arm].T, overwrite_a=1)
