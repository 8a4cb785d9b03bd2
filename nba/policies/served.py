"""The policies that can serve: a learned model that explores, and the simple ones it has to beat.

Each keeps the floor ε·u of its playbook on every eligible arm (invariant 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from nba.errors import SchemaMismatch
from nba.playbook.arms import ArmTable
from nba.playbook.compile import Playbook
from nba.playbook.rules import Rule
from nba.playbook.schema import Exploration
from nba.policies.explore import Explorer, Tree, explorer_of, greedy
from nba.policies.levers import Levers
from nba.policies.policy import Bools, Choice, Floats, Ints, Policy, RewardModel
from nba.policies.thompson import CELLS, NO_HEADS, frequencies


class LearnedModel(RewardModel, Protocol):
    """A reward model with what exploration must know of it.

    `sigma` is the standard deviation of the residual, `resolution` the standard error of a difference of
    two scores: the scale on which a gap between arms is large or small. `arms` is its arm table.
    `head_count` is how many draws of itself it carries, 0 for none.
    """

    @property
    def arms(self) -> ArmTable: ...

    @property
    def sigma(self) -> float: ...

    @property
    def resolution(self) -> float: ...

    @property
    def head_count(self) -> int: ...

    def head_scores(self, features: Floats) -> Floats:
        """(n, F) → (n, M, k), by head. Raises SchemaMismatch where the model has none."""

    def under(self, arms: ArmTable) -> LearnedModel:
        """For a table that has further arms after the model's own. Quick."""

    def recompiled(self, arms: ArmTable) -> LearnedModel:
        """For another arm table. Raises SchemaMismatch where the model can't."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServedPolicy:
    """A reward model, the playbook's levers, an explorer, its ceiling and the floor.

    `explore` is None where the heads of the model say what is explored: Thompson sampling.
    """

    model: LearnedModel
    tree: Tree
    explore: Explorer | None
    floor: float
    ceiling: float = 1.0
    levers: Levers | None = None

    @classmethod
    def of(
        cls,
        model: LearnedModel,
        exploration: Exploration,
        levers: Floats | None = None,
        gap: float | None = None,
    ) -> ServedPolicy:
        """`model` explored as a playbook says; gaps are in units of `gap`, the model's resolution by default.

        With the residual's deviation as the unit, a model of rare purchases would look undecided for
        ever: there one reward's noise is a hundred times any gap, and more data don't change that. The
        resolution shrinks as data come in, as SquareCB's own schedule does (γ grows like √T).

        Args:
            levers: (k,) the arm table's; None for none.

        Raises:
            SchemaMismatch: the playbook asks for thompson, and the model has no heads.
        """
        thompson = exploration.explorer == "thompson"
        if thompson and model.head_count == 0:
            raise SchemaMismatch(f"this {model.specification} model {NO_HEADS}")
        scale = model.resolution if gap is None else gap
        return cls(
            model=model,
            tree=Tree.of(model.arms),
            explore=None if thompson else explorer_of(exploration, scale),
            floor=exploration.floor,
            # who asks for uniform wants an experiment, and a ceiling would spoil it
            ceiling=1.0 if exploration.explorer == "uniform" else exploration.ceiling,
            levers=Levers.of(levers),
        )

    @classmethod
    def greedy(cls, model: LearnedModel, floor: float = 0.0) -> ServedPolicy:
        """`model` taken at its word: the best arm, and the floor."""
        return cls(model=model, tree=Tree.of(model.arms), explore=greedy, floor=floor)

    @property
    def specification(self) -> str:
        return self.model.specification

    def choose(self, features: Floats, eligible: Bools) -> Choice:
        scores = self.model.scores(features)
        values = scores if self.levers is None else self.levers.values(scores)
        best = np.where(eligible, values, -np.inf).argmax(axis=1)
        if self.explore is None:
            explored = self._frequencies(features, eligible)
            odds = self.tree.settled(explored, best, eligible, self.floor, self.ceiling)
        else:
            odds = self.tree.odds(values, eligible, self.explore, self.floor, self.ceiling)
        return Choice(odds=odds, scores=scores, values=values, best=best)

    def under(self, playbook: Playbook) -> ServedPolicy:
        arms = playbook.arms
        return replace(
            self,
            model=self.model.under(arms),
            tree=Tree.of(arms),
            levers=None if self.levers is None else Levers.of(arms.lever),
        )

    def _frequencies(self, features: Floats, eligible: Bools) -> Floats:
        """(n, k) how many of the heads take each arm."""
        odds = np.empty(eligible.shape)
        step = max(CELLS // (self.model.head_count * eligible.shape[1]), 1)
        for start in range(0, len(features), step):
            rows = slice(start, start + step)
            values = self.model.head_scores(features[rows])
            values = values if self.levers is None else self.levers.values(values)
            odds[rows] = frequencies(values, eligible[rows])
        return odds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConstantPolicy:
    """One arm for everyone, `no_contact` where it is refused."""

    tree: Tree
    arm: int
    floor: float
    specification: str = "constant"

    @classmethod
    def of(cls, playbook: Playbook, arm: int) -> ConstantPolicy:
        return cls(tree=Tree.of(playbook.arms), arm=arm, floor=playbook.spec.exploration.floor)

    def choose(self, features: Floats, eligible: Bools) -> Choice:
        best = np.where(eligible[:, self.arm], self.arm, 0)
        return _fixed(self.tree, best, eligible, self.floor)

    def under(self, playbook: Playbook) -> ConstantPolicy:
        return replace(self, tree=Tree.of(playbook.arms))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UniformPolicy:
    """u: uniform over the eligible children at each node; the floor is part of it."""

    tree: Tree
    specification: str = "uniform"

    @classmethod
    def of(cls, playbook: Playbook) -> UniformPolicy:
        return cls(tree=Tree.of(playbook.arms))

    def choose(self, features: Floats, eligible: Bools) -> Choice:
        odds = self.tree.uniform(eligible)
        silence, nothing = np.zeros(len(eligible), dtype=np.int64), np.zeros(eligible.shape)
        return Choice(odds=odds, scores=nothing, values=nothing, best=silence)

    def under(self, playbook: Playbook) -> UniformPolicy:
        return UniformPolicy.of(playbook)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IncumbentPolicy:
    """The rules a company uses today: the first that holds and whose arm is eligible, else `no_contact`."""

    tree: Tree
    rules: Sequence[Rule]
    arms: Sequence[int]
    floor: float
    specification: str = "incumbent"

    @classmethod
    def of(cls, playbook: Playbook) -> IncumbentPolicy:
        lines = playbook.spec.incumbent
        return cls(
            tree=Tree.of(playbook.arms),
            rules=playbook.incumbent_rules,
            arms=tuple(playbook.arms.find(line.action, line.channel, line.timing) for line in lines),
            floor=playbook.spec.exploration.floor,
        )

    def choose(self, features: Floats, eligible: Bools) -> Choice:
        best = np.zeros(len(eligible), dtype=np.int64)
        for rule, arm in zip(self.rules, self.arms, strict=True):
            best[(best == 0) & rule.holds(features) & eligible[:, arm]] = arm
        return _fixed(self.tree, best, eligible, self.floor)

    def under(self, playbook: Playbook) -> IncumbentPolicy:
        return replace(self, tree=Tree.of(playbook.arms))


def fallback(playbook: Playbook) -> Policy:
    """What serves with nothing trained: the incumbent's rules where the playbook has them, else uniform."""
    return IncumbentPolicy.of(playbook) if playbook.incumbent_rules else UniformPolicy.of(playbook)


def _fixed(tree: Tree, best: Ints, eligible: Bools, floor: float) -> Choice:
    odds = floor * tree.uniform(eligible)
    odds[np.arange(len(best)), best] += 1.0 - floor
    nothing = np.zeros(eligible.shape)
    return Choice(odds=odds, scores=nothing, values=nothing, best=best)
