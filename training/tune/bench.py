"""What a way to learn and to explore is worth on later decisions, doubly robust. Knows no tuner, no store.

The rewards that the estimate rests on are predicted by one model a split, of that split's earlier part and
with its own defaults: the same for everything that is tried, so that trials are compared on equal terms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.ope import Estimate, LoggedBatch, difference, estimate
from experiments.ope.clip import declared
from nba.errors import NotEnoughData
from nba.playbook.compile import Playbook
from nba.policies.learners import LEARNERS
from nba.policies.served import ServedPolicy
from training.policy.log import DecisionLog
from training.policy.selection import REWARD_MODEL, heads, training_batch
from training.tune.space import Tried
from training.tune.splits import Split, Splits

Floats = NDArray[np.float64]
ESTIMATOR = "dr"
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fold:
    """A split with (m, k) rewards predicted for the decisions that value."""

    split: Split
    q_hat: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bench:
    """What trials are valued on.

    Attributes:
        log: mature decisions of the treatment group, outside experiments.
        folds: the rolling splits, in order of time.
        final: the split that no trial sees.
    """

    playbook: Playbook
    log: DecisionLog
    folds: tuple[Fold, ...]
    final: Split
    seed: int

    @classmethod
    def of(
        cls,
        playbook: Playbook,
        log: DecisionLog,
        splits: Splits,
        seed: int,
        progress: Progress = lambda _: None,
    ) -> Bench:
        """With a reward model for each rolling split."""
        folds = []
        for i, split in enumerate(splits.rolling):
            progress(f"predicting rewards, part {i + 1} of {len(splits.rolling)}")
            folds.append(Fold(split=split, q_hat=_predicted(playbook, log, split, seed)))
        return cls(playbook=playbook, log=log, folds=tuple(folds), final=splits.final, seed=seed)

    def odds(self, tried: Tried, split: Split) -> Floats:
        """(m, k) of the policy as it would serve: learned before the split, asked on its decisions.

        Raises:
            NotEnoughData: fewer than two arms to learn from.
        """
        inside, outside = self.log.where(split.learn), self.log.where(split.value)
        if len(np.unique(inside.arm)) < 2:
            figures = {"decisions": float(len(inside))}
            raise NotEnoughData("learning a policy takes decisions on at least two arms", figures)
        base, whole = _books(self.playbook, self.log)
        batch = training_batch(inside, self.playbook.spec.learning.half_life, split.start)
        learner = LEARNERS[tried.learner]
        model = learner.fit(base, batch, self.seed, tried.settings, heads=heads(base))
        policy = ServedPolicy.of(model, tried.explores(base), base.arms.lever).under(whole)
        return policy.choose(outside.features, outside.eligible).odds

    def batch(self, folds: Sequence[Fold], odds: Sequence[Floats]) -> LoggedBatch:
        """The decisions that value, of some folds, with the policies' odds on them."""
        rows = self.log.where(np.concatenate([fold.split.value for fold in folds]))
        _, whole = _books(self.playbook, self.log)
        return LoggedBatch(
            reward=rows.reward,
            arm=rows.arm,
            propensity=rows.propensity,
            target=np.concatenate(odds),
            q_hat=np.concatenate([fold.q_hat for fold in folds]),
            customer=rows.customer,
            logging=rows.odds,
            bounds=declared(self.playbook.spec.objectives, float(whole.arms.cost.max())),
        )

    def value(self, odds: Sequence[Floats]) -> Estimate:
        """What policies with these odds on the first folds earn per decision, over all of them together.

        Raises:
            NotEnoughData: the log can't carry it.
        """
        return estimate(ESTIMATOR, self.batch(self.folds[: len(odds)], odds))

    def logged(self, folds: int) -> float:
        """What the first folds' decisions earned, each: where a trial stands is told from there."""
        rows = np.concatenate([fold.split.value for fold in self.folds[:folds]])
        return float(self.log.reward[rows].mean())

    def last(self, one: Tried, other: Tried) -> tuple[Estimate, Estimate, Estimate]:
        """Both, and their paired difference one − other, on the decisions that no trial saw.

        Raises:
            NotEnoughData: the log can't carry it.
        """
        fold = Fold(split=self.final, q_hat=_predicted(self.playbook, self.log, self.final, self.seed))
        a = self.odds(one, self.final)
        b = a if one == other else self.odds(other, self.final)
        batches = [self.batch([fold], [odds]) for odds in (a, b)]
        valued, beside = (estimate(ESTIMATOR, batch) for batch in batches)
        return valued, beside, difference(ESTIMATOR, batches[0], a, b)


def _predicted(playbook: Playbook, log: DecisionLog, split: Split, seed: int) -> Floats:
    """(m, k) by a model of the split's earlier part."""
    base, whole = _books(playbook, log)
    batch = training_batch(log.where(split.learn))
    model = LEARNERS[REWARD_MODEL].fit(base, batch, seed, serves=False)
    return model.under(whole.arms).scores(log.features[split.value])


def _books(playbook: Playbook, log: DecisionLog) -> tuple[Playbook, Playbook]:
    """The playbook that models are fitted for, and that of the log's arms, which callers may have widened."""
    whole = log.playbook or playbook
    return whole.base or whole, whole
