"""Our default policy, round by round: what the engine serves, learned after every decision.

Linear in its columns, one row of W an arm: a mixture of ridge regressions that differ in columns, in
strength and in what they take an unknown arm to be worth, each weighted by how well it predicted the
rewards that it had not yet seen:

    weight ∝ exp(−η Σ (r − score)²),   the scores judged taking an unknown arm to be worth the mean reward.

A mixture of linear scores is linear in all columns together, so it compiles into one W. Odds are those of
the engine's own tree and explorer: SquareCB with gaps in units of the model's resolution, the ceiling, and
the floor. One setting for all tasks; `docs/bakeoff.md` says how it was chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.bakeoff.columns import Rounds
from experiments.bakeoff.online import OnlineRidge
from nba.policies.explore import Level, Tree, squarecb
from nba.policies.policy import Floats

_FIRST = 20  # decisions before the resolution is measured
_GROWTH = 1.15  # more decisions, and it is measured anew
_RECENT = 40  # contexts on which it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One ridge regression: its columns, its strength λ, and c, what an unknown arm is worth to it."""

    columns: str
    strength: float
    start: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OurSetting:
    """What may be chosen of our policy.

    Attributes:
        members: of the mixture; rewards are 0 or 1.
        eta: η, how fast weight moves to the members that predict well.
        gamma, ceiling, floor: as in a playbook's `exploration`.
    """

    members: tuple[Member, ...] = (
        Member(columns="binned", strength=10.0, start=1.0),
        Member(columns="products", strength=30.0, start=0.5),
        Member(columns="products", strength=100.0, start=0.5),
    )
    eta: float = 0.1
    gamma: float = 1_000.0
    ceiling: float = 0.3
    floor: float = 0.01


class Ours:
    """A player whose odds are exact: they depend on what was learned and on nothing else."""

    def __init__(self, rounds: Rounds, setting: OurSetting) -> None:
        k, members = rounds.task.arms, setting.members
        columns = {member.columns: rounds.columns(member.columns) for member in members}
        self._setting = setting
        self._members = [OnlineRidge(columns[m.columns], k, m.strength) for m in members]
        self._starts = np.array([m.start for m in members])
        self._losses = np.zeros(len(members))
        self._parts = np.zeros((len(members), k, 2))
        self._rewards, self._count = 0.5, 1  # half a success before the first
        self._tree = Tree((Level.of(np.zeros(1, dtype=np.int64), k),))
        self._all = np.ones((1, k), dtype=np.bool_)
        self._resolution, self._next = 1.0, _FIRST

    def odds(self, row: int) -> Floats:
        """(k,)"""
        if row >= self._next:
            self._next = int(row * _GROWTH) + 1
            self._resolution = self._measured(row)
        self._parts = np.stack([member.parts(row) for member in self._members])
        own = self._setting
        scores = self._weights() @ (self._parts[:, :, 0] + self._starts[:, None] * self._parts[:, :, 1])
        explore = squarecb(own.gamma, self._resolution)
        odds: Floats = self._tree.odds(scores[None], self._all, explore, own.floor, own.ceiling)[0]
        return odds

    def learn(self, row: int, arm: int, reward: float, odds: Floats) -> None:
        """Judge each member by its word of before, then let it learn."""
        known, unknown = self._parts[:, arm].T
        self._losses += (known + self._rewards / self._count * unknown - reward) ** 2
        self._rewards, self._count = self._rewards + reward, self._count + 1
        for member in self._members:
            member.learn(row, arm, reward)

    def _weights(self) -> Floats:
        weights = np.exp(-self._setting.eta * (self._losses - self._losses.min()))
        return np.asarray(weights / weights.sum(), dtype=np.float64)

    def _measured(self, decisions: int) -> float:
        """The resolution: standard error of a difference of two scores, by the heaviest member's posterior.

        √(2 σ² zᵀ(A + λI)⁻¹z), root mean square over recent contexts and all arms, never below σ/√n.
        """
        best = int(self._losses.argmin())
        sigma = np.sqrt((self._losses[best] + 0.1) / decisions)
        recent = slice(max(decisions - _RECENT, 0), decisions)
        spread = float(self._members[best].variances(recent).mean())
        return float(sigma * max(np.sqrt(2.0 * spread), 1.0 / np.sqrt(decisions)))
