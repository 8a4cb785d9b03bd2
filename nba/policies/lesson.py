"""What a learner is given, and what all learners have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from nba.playbook.arms import ArmTable
from nba.playbook.compile import Playbook
from nba.policies import vowpal
from nba.policies.batch import TrainingBatch
from nba.policies.boosted import BoostedModel
from nba.policies.encoder import Encoder
from nba.policies.linear import LinearModel
from nba.policies.policy import Floats, Ints

Setting = float | int | str
Settings = Mapping[str, Setting]
Model = TypeVar("Model", LinearModel, BoostedModel)
_LEAST = 1e-9  # of a resolution, where rewards never varied
_JUDGED = 2_000  # rows on which two halves are compared
_SUPPORT = 20  # decisions for each column of the encoder, before bins are left out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """One task of learning; what comes of it is a pure function of this.

    Attributes:
        playbook: whose arms the model is for.
        settings: every setting of the learner.
        serves: False for a model that only predicts, and needs no resolution.
        heads: how many further draws of the model are wanted.
    """

    playbook: Playbook
    batch: TrainingBatch
    seed: int
    settings: Settings
    serves: bool
    heads: int

    @property
    def arms(self) -> ArmTable:
        """The table that the batch's arms point into."""
        return self.playbook.arms if self.batch.arms is None else self.batch.arms

    @property
    def weight(self) -> Floats:
        """(n,) how much each decision counts, importance included."""
        return self.batch.weights * vowpal.importance(self.batch.propensity, str(self.settings["importance"]))

    def encoder(self, widest: int = 10_000) -> Encoder:
        """Fitted to the decisions, of at most `widest` columns where that can be."""
        X = self.batch.features
        columns = min(int(self.settings["columns"]), widest, len(X) // _SUPPORT)
        return Encoder.fit(self.playbook.schema, X, int(self.settings["bins"]), columns)

    def halves(self) -> tuple[Ints, Ints]:
        """The decisions in two parts."""
        order = np.random.default_rng(self.seed).permutation(len(self.batch))
        return order[: len(order) // 2], order[len(order) // 2 :]

    def least_resolved(self, model: Model) -> Model:
        """For a model that only predicts: the best resolution there could be."""
        return replace(model, resolution=max(model.sigma / np.sqrt(len(self.batch)), _LEAST))

    def resolved(self, model: Model, one: Model, other: Model) -> Model:
        """`model` with the resolution that two models of half the decisions each tell."""
        rows = self.batch.features[:: max(len(self.batch) // _JUDGED, 1)]
        figure = resolution(one.scores(rows), other.scores(rows), model.sigma, len(self.batch))
        return replace(model, resolution=figure)


def resolution(one: Floats, other: Floats, sigma: float, rows: int) -> float:
    """Standard error of a difference of two scores, from two models, each of half the data.

    The halves are independent, so their scores differ by 4 times the variance of the whole model's; a
    difference of two arms has twice that. Only what moves arms against each other counts: row means go.
    Never below σ/√n, which is as well as n rewards can tell one mean.
    """
    difference = one - other
    difference = difference - difference.mean(axis=1, keepdims=True)
    return float(max(np.sqrt(np.mean(difference**2) / 2.0), sigma / np.sqrt(rows), _LEAST))
