"""The cells of the study: every mix of reward, decisions a customer, effective sample and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import product

from experiments.coverage.world import Reward, World
from nba.errors import InvalidInput

ESTIMATORS = ("ips", "snips", "dr", "sndr")

REWARDS = {
    "conversions.3": Reward(rate=0.3),
    "conversions.01": Reward(rate=0.01),
    "spend": Reward(rate=0.01, spread=1.4),
    "spend-clipped": Reward(rate=0.01, spread=1.4, clip=6.0, declared=True),
}
DECISIONS = (1, 5, 20)
EFFECTIVE = (15, 60, 250, 800, 2_000)
DRAWN = {"light": World.of(101, 0.4, 0.8), "heavy": World.of(102, 0.04, 0.6)}
"""Logs with the odds of the arm drawn alone."""

KNOWN = {"heavy-known": replace(World.of(103, 0.04, 0.6), known=True), "twins": World.twins(104, 0.02, 2)}
"""Logs with the odds of all arms, as the engine's are."""

WEIGHTS = DRAWN | KNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One set of simulated logs.

    Attributes:
        reward, weights: keys of REWARDS and WEIGHTS.
        decisions: of each customer.
        effective: the effective sample over customers that logs have on average.
    """

    reward: str
    decisions: int
    effective: int
    weights: str

    @property
    def name(self) -> str:
        return f"{self.reward}/{self.decisions}/{self.effective}/{self.weights}"

    @property
    def customers(self) -> int:
        return WEIGHTS[self.weights].customers(self.effective, self.decisions)


CELLS = tuple(
    Cell(reward=reward, decisions=decisions, effective=effective, weights=weights)
    for told in (DRAWN, KNOWN)
    for reward, weights, decisions, effective in product(REWARDS, told, DECISIONS, EFFECTIVE)
)


def named(patterns: Sequence[str]) -> list[Cell]:
    """The cells whose names match any of the patterns (`spend/*/2000/*`); all where there are none.

    Raises:
        InvalidInput: a pattern matches no cell.
    """
    for pattern in patterns:
        if not any(fnmatchcase(cell.name, pattern) for cell in CELLS):
            raise InvalidInput.of(
                "cells", f"no cell is called {pattern!r}; the first is {CELLS[0].name}, and * stands for any"
            )
    return [cell for cell in CELLS if not patterns or any(fnmatchcase(cell.name, p) for p in patterns)]
