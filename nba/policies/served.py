"""The policies that can serve: a learned model that explores, and the simple ones it has to beat.

Each keeps the floor ε·u of its playbook on every eligible arm (invariant 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nba.playbook.arms import ArmTable
from nba.playbook.compile import Playbook
from nba.playbook.rules import Rule
from nba.playbook.schema import Exploration
from nba.policies.explore import Explorer, Tree, explorer_of, greedy
from nba.policies.policy import Bools, Choice, Floats, Ints, Policy, RewardModel


class LearnedModel(RewardModel, Protocol):
    """A reward model with what exploration must know of it.

    `sigma` is the standard deviation of the residual, `resolution` the standard error of a difference of
    two scores: the scale on which a gap between arms is large or small. `arms` is its arm table.
    """

    @property
    def arms(self) -> ArmTable: ...

    @property
    def sigma(self) -> float: ...

    @property
    def resolution(self) -> float: ...

    def recompiled(self, arms: ArmTable) -> LearnedModel:
        """For another arm table. Raises SchemaMismatch where the model can't."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServedPolicy:
    """A reward model, an explorer, its ceiling and the floor."""

    model: LearnedModel
    tree: Tree
    explore: Explorer
    floor: float
    ceiling: float = 1.0

    @classmethod
    def of(cls, model: LearnedModel, exploration: Exploration, gap: float | None = None) -> ServedPolicy:
        """`model` explored as a playbook says; gaps are in units of `gap`, the model's resolution by default.

        With the residual's deviation as the unit, a model of rare purchases would look undecided for
        ever: there one reward's noise is a hundred times any gap, and more data don't change that. The
        resolution shrinks as data come in, as SquareCB's own schedule does (γ grows like √T).
        """
        scale = model.resolution if gap is None else gap
        return cls(
            model=model,
            tree=Tree.of(model.arms),
            explore=explorer_of(exploration, scale),
            floor=exploration.floor,
            # who asks for uniform wants an experiment, and a ceiling would spoil it
            ceiling=1.0 if exploration.explorer == "uniform" else exploration.ceiling,
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
        best = np.where(eligible, scores, -np.inf).argmax(axis=1)
        odds = self.tree.odds(scores, eligible, self.explore, self.floor, self.ceiling)
        return Choice(odds=odds, scores=scores, best=best)


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
        nothing = np.zeros(len(eligible), dtype=np.int64)
        return Choice(odds=odds, scores=np.zeros(eligible.shape), best=nothing)


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


def fallback(playbook: Playbook) -> Policy:
    """What serves with nothing trained: the incumbent's rules where the playbook has them, else uniform."""
    return IncumbentPolicy.of(playbook) if playbook.incumbent_rules else UniformPolicy.of(playbook)


def _fixed(tree: Tree, best: Ints, eligible: Bools, floor: float) -> Choice:
    odds = floor * tree.uniform(eligible)
    odds[np.arange(len(best)), best] += 1.0 - floor
    return Choice(odds=odds, scores=np.zeros(eligible.shape), best=best)
