"""One player, one shuffle: draw, look at the loss of the arm drawn, learn. Chance comes from the seed.

The uniforms are a stream of their own, so a player's draws never depend on the player's own chance.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from experiments.bakeoff.columns import Rounds
from nba.policies.draw import draw
from nba.policies.policy import Floats

_DRAWS = 0xD6A3  # apart from the seeds of orders and players


class Player(Protocol):
    """Learns online. `odds` of a row is asked once, in order, and `learn` follows it."""

    def odds(self, row: int) -> Floats:
        """(k,) at which the arm will be drawn; they sum to 1."""

    def learn(self, row: int, arm: int, reward: float, odds: Floats) -> None:
        """The reward of the arm drawn, and the odds it was drawn at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """What one shuffle came to.

    Attributes:
        error: progressive error: the share of rounds whose arm was not the label.
        seconds: in the player, a round.
        off: the most that a round's odds missed a sum of 1 by.
        least: the least odds of any arm in any round, times the number of arms.
        z: the odds of the arms drawn, added up, less what they are expected to be, in standard deviations.
            With exact propensities it is standard normal; 0 where nothing was left to chance.
    """

    error: float
    seconds: float
    off: float
    least: float
    z: float


def play(player: Player, rounds: Rounds, seed: int) -> Game:
    """All rounds, in order."""
    label, k = rounds.task.label, rounds.task.arms
    uniforms = np.random.default_rng((seed, _DRAWS)).random(len(label))
    wrong, off, least, surplus, variance, seconds = 0, 0.0, 1.0, 0.0, 0.0, 0.0
    for row in range(len(label)):
        start = time.perf_counter()
        odds = player.odds(row)
        seconds += time.perf_counter() - start
        arm = int(draw(odds[None], uniforms[row : row + 1])[0])
        reward = float(arm == label[row])
        start = time.perf_counter()
        player.learn(row, arm, reward, odds)
        seconds += time.perf_counter() - start
        wrong += reward == 0.0
        off, least = max(off, abs(float(odds.sum()) - 1.0)), min(least, float(odds.min()) * k)
        expected = float(odds @ odds)
        surplus += float(odds[arm]) - expected
        variance += float(odds @ odds**2) - expected**2
    return Game(
        error=wrong / len(label),
        seconds=seconds / len(label),
        off=off,
        least=least,
        z=surplus / math.sqrt(variance) if variance > 1e-12 else 0.0,
    )
