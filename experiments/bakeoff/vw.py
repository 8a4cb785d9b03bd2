"""Vowpal Wabbit as a rival: its contextual bandits over actions of their own features.

The one module beside `nba/policies/vowpal.py` that imports vowpalwabbit. Each arm is one feature, crossed
with the context, so that it has weights of its own; the cost is 1 − reward. Columns go in as numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from vowpalwabbit import Workspace

from experiments.bakeoff.columns import Rounds
from nba.policies.policy import Floats

_COMMON = "--quiet --cb_explore_adf --quadratic ca --ignore_linear c --bit_precision 20"


@dataclass(frozen=True, slots=True, kw_only=True)
class VwSetting:
    """`flags` are the explorer's own."""

    flags: str
    rate: float
    columns: str = "binned"


class Vw:
    """A player; VW's odds are the ones it is told of when it learns."""

    def __init__(self, rounds: Rounds, setting: VwSetting, seed: int) -> None:
        self._columns = rounds.columns(setting.columns)[:, 1:]  # VW has a constant of its own
        self._arms = [f"|a {i}:1" for i in range(rounds.task.arms)]
        options = f"{_COMMON} {setting.flags} --learning_rate {setting.rate:g} --random_seed {seed}"
        self._vw = Workspace(options)
        self._shared = ""

    def odds(self, row: int) -> Floats:
        self._shared = f"shared {_namespace(self._columns[row])}"
        odds = np.array(self._vw.predict([self._shared, *self._arms]), dtype=np.float64)
        # VW counts in 32 bits
        return np.asarray(odds / odds.sum(), dtype=np.float64)

    def learn(self, row: int, arm: int, reward: float, odds: Floats) -> None:
        lines = self._arms.copy()
        lines[arm] = f"0:{1.0 - reward:g}:{odds[arm]:.9g} {lines[arm]}"
        self._vw.learn([self._shared, *lines])


def _namespace(values: Floats) -> str:
    """`|c 3:0.5 17:1`: the columns that are not 0, by number."""
    filled = np.flatnonzero(values)
    pairs = zip(filled.tolist(), values[filled].tolist(), strict=True)
    return "|c " + " ".join(f"{i}:{value:.9g}" for i, value in pairs)
