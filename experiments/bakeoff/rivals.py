"""Rivals that are linear and need no library: LinUCB, LinTS, and ridge with inverse-gap weighting.

Each has regressions of its own for each arm, moved by one rank after every decision. LinUCB and LinTS
give no propensities: what they return is the arm they take, as odds of 1.

    LinUCB  argmax zᵀθₐ + α √(zᵀAₐ⁻¹z)                       Li, Chu, Langford & Schapire (2010), Algorithm 1
    LinTS   argmax zᵀθ̃ₐ,  θ̃ₐ ~ N(θₐ, α² Aₐ⁻¹)                Agrawal & Goyal (2013), §2
    ridge   odds 1 / (k + γ√t · gap), the best gets the rest    Foster & Rakhlin (2020), §3
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.bakeoff.columns import Rounds
from experiments.bakeoff.online import OnlineRidge
from nba.policies.explore import Level, Tree, squarecb
from nba.policies.policy import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearSetting:
    """`explore` is α, or γ of the inverse gap weighting."""

    strength: float
    explore: float
    columns: str = "binned"


class LinUcb:
    """Ties are broken at random."""

    def __init__(self, rounds: Rounds, setting: LinearSetting, seed: int) -> None:
        self._model = _model(rounds, setting)
        self._alpha = setting.explore
        self._rng = np.random.default_rng(seed)

    def odds(self, row: int) -> Floats:
        spread = np.sqrt(self._model.variances(slice(row, row + 1))[0])
        return _certain(self._model.scores(row) + self._alpha * spread, self._rng)

    def learn(self, row: int, arm: int, reward: float, odds: Floats) -> None:
        self._model.learn(row, arm, reward)


class LinTs:
    """Samples the score itself: arms share nothing, so that is the same as sampling coefficients."""

    def __init__(self, rounds: Rounds, setting: LinearSetting, seed: int) -> None:
        self._model = _model(rounds, setting)
        self._alpha = setting.explore
        self._rng = np.random.default_rng(seed)

    def odds(self, row: int) -> Floats:
        spread = np.sqrt(self._model.variances(slice(row, row + 1))[0])
        sampled = self._model.scores(row) + self._alpha * spread * self._rng.normal(size=len(spread))
        return _certain(sampled, self._rng)

    def learn(self, row: int, arm: int, reward: float, odds: Floats) -> None:
        self._model.learn(row, arm, reward)


class RidgeIgw:
    """Plain ridge, and γ√t as the theory has it."""

    def __init__(self, rounds: Rounds, setting: LinearSetting) -> None:
        k = rounds.task.arms
        self._model = _model(rounds, setting)
        self._gamma = setting.explore
        self._tree = Tree((Level.of(np.zeros(1, dtype=np.int64), k),))
        self._all = np.ones((1, k), dtype=np.bool_)

    def odds(self, row: int) -> Floats:
        explore = squarecb(self._gamma * np.sqrt(row + 1), 1.0)
        odds: Floats = self._tree.odds(self._model.scores(row)[None], self._all, explore, 0.0)[0]
        return odds

    def learn(self, row: int, arm: int, reward: float, odds: Floats) -> None:
        self._model.learn(row, arm, reward)


def _model(rounds: Rounds, setting: LinearSetting) -> OnlineRidge:
    return OnlineRidge(rounds.columns(setting.columns), rounds.task.arms, setting.strength)


def _certain(values: Floats, rng: np.random.Generator) -> Floats:
    """1 for the best arm; ties at random."""
    best = np.flatnonzero(values == values.max())
    odds = np.zeros(len(values))
    odds[best[rng.integers(len(best))]] = 1.0
    return odds
