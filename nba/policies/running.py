"""Ridge that goes on learning: sums by fold of customers, to which decisions are added as they mature.

Sums are exact and additive, so what was learned in parts is what would have been learned at once, and a model
of all folds but one, for judging, is a subtraction and not another fit. The encoder stays as it was fitted; a
full retraining fits a new one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nba.errors import InvalidInput
from nba.playbook.arms import ArmTable
from nba.playbook.compile import Playbook
from nba.policies.batch import TrainingBatch
from nba.policies.bilinear import Weights
from nba.policies.encoder import Encoder
from nba.policies.learn_ridge import best_strength, shrinkage
from nba.policies.lesson import resolution as resolution_of
from nba.policies.linear import LinearModel
from nba.policies.policy import Floats, Ints
from nba.policies.ridge import RidgeFit, RidgeSums

FOLDS = 4
_CHUNK = 50_000  # rows encoded at once
_JUDGED = 2_000  # rows on which two halves are compared


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunningRidge:
    """What ridge knows after n decisions.

    Attributes:
        encoder: features → z, fixed.
        arms: the playbook's own.
        parts: sums of each fold of customers; they add up to all that was learned.
        judged: (m, F) features of some of the decisions, on which the halves of the data are compared.
        strength: of the shrinkage; 0 is chosen by cross-validation over the folds each time.
        rows: decisions added.
    """

    encoder: Encoder
    arms: ArmTable
    parts: tuple[RidgeSums, ...]
    judged: Floats
    strength: float = 0.0
    rows: int = 0

    @classmethod
    def empty(cls, encoder: Encoder, playbook: Playbook, *, strength: float = 0.0) -> RunningRidge:
        """Nothing learned yet, over the columns of an encoder."""
        arms, nothing = playbook.arms, np.zeros(0)
        none = RidgeSums.of(np.zeros((0, len(encoder))), nothing.astype(np.int64), nothing, arms)
        return cls(
            encoder=encoder,
            arms=arms,
            parts=(none,) * FOLDS,
            strength=strength,
            judged=np.zeros((0, len(playbook.schema))),
        )

    def add(self, batch: TrainingBatch, fold: Ints) -> RunningRidge:
        """With n decisions more.

        Args:
            fold: (n,) in [0, FOLDS); all decisions of a customer share one, also over calls.

        Raises:
            InvalidInput: a fold that there is not, or arms of another playbook.
        """
        if fold.shape != (len(batch),) or (len(fold) and not 0 <= fold.min() <= fold.max() < FOLDS):
            raise InvalidInput.of("fold", f"is one number from 0 to {FOLDS - 1} for each decision")
        arms = self.arms if batch.arms is None else batch.arms
        if arms.feature_names != self.arms.feature_names:
            raise InvalidInput.of("batch", "has the arms of another playbook")
        parts = list(self.parts)
        for start in range(0, len(batch), _CHUNK):
            rows = np.arange(start, min(start + _CHUNK, len(batch)))
            encoded = self.encoder.encode(batch.features[rows])
            for f in np.unique(fold[rows]):
                mine = fold[rows] == f
                at = rows[mine]
                sums = RidgeSums.of(
                    encoded[mine], batch.arm[at], batch.reward[at], arms, weight=batch.weights[at]
                )
                parts[f] = parts[f] + replace(sums, arms=self.arms)  # what was brought taught its category
        seen = np.concatenate((self.judged, batch.features[:: max(len(batch) // _JUDGED, 1)]))
        return replace(self, parts=tuple(parts), rows=self.rows + len(batch), judged=seen[-_JUDGED:])

    def decayed(self, factor: float) -> RunningRidge:
        """What was learned until now counts `factor` times as much."""
        return replace(self, parts=tuple(part.decay(factor) for part in self.parts))

    @property
    def total(self) -> RidgeSums:
        return sum(self.parts[1:], start=self.parts[0])

    def settled(self) -> RunningRidge:
        """With the strength that predicts each fold best from the others."""
        return self if self.strength else replace(self, strength=best_strength(list(self.parts), self.total))

    def fit(self, without: int | None = None) -> RidgeFit:
        """Fitted to all folds, or to all but one.

        Raises:
            NotEnoughData: there are no decisions.
        """
        ready, sums = self.settled(), self.total
        if without is not None:
            sums = sums - self.parts[without]
        return sums.solve(shrinkage(ready.strength))

    def model(
        self, without: int | None = None, *, resolution: float | None = None, heads: int = 0, seed: int = 0
    ) -> LinearModel:
        """As it would serve.

        Args:
            without: leave a fold out, for judging on it.
            resolution: where it is known, as that of the whole is for all folds but one; else it is measured
                by halves of the data, which takes two fits more.
            heads: how many draws of itself it carries.
        """
        ready = self.settled()
        fit = ready.fit(without)
        model = _compiled(ready, fit, Weights.of(fit.draws(heads, seed)) if heads else None)
        return replace(model, resolution=ready._resolution(model) if resolution is None else resolution)

    def _resolution(self, model: LinearModel) -> float:
        halves = [sum(self.parts[i + 2 :: 2], start=self.parts[i]) for i in (0, 1)]
        one, other = (_compiled(self, h.solve(shrinkage(self.strength / 2)), None) for h in halves)
        rows = self.judged
        return resolution_of(one.scores(rows), other.scores(rows), model.sigma, max(self.rows, 1))


def _compiled(running: RunningRidge, fit: RidgeFit, heads: Weights | None) -> LinearModel:
    weights, names = fit.weights()
    return LinearModel.compile(
        specification="ridge",
        encoder=running.encoder,
        weights=weights,
        arm_features=names,
        arms=running.arms,
        sigma=fit.sigma,
        resolution=0.0,
        heads=heads,
    )
