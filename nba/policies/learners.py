"""The table of learners: logged decisions in, a reward model out. Being in it means being tested.

A learner is a pure function of (playbook, batch, seed, settings).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from nba.errors import InvalidInput
from nba.playbook.compile import Playbook
from nba.playbook.rules import nearest
from nba.policies import boosted, vowpal
from nba.policies.batch import TrainingBatch
from nba.policies.boosted import BoostedModel, BoostedSettings
from nba.policies.encoder import Encoder
from nba.policies.linear import LinearModel
from nba.policies.policy import Floats, Ints
from nba.policies.ridge import RidgeFit, RidgeSums, Shrinkage
from nba.policies.served import LearnedModel

Setting = float | int | str
Settings = Mapping[str, Setting]
_Model = TypeVar("_Model", LinearModel, BoostedModel)
_GRAM = 20_000_000  # numbers in all of ridge's gram matrices
_LEAST = 1e-9  # of a resolution, where rewards never varied
_JUDGED = 2_000  # rows on which two halves are compared
_STRENGTHS = (30.0, 300.0, 3_000.0, 30_000.0)
_SUPPORT = 20  # decisions for each column of the encoder, before bins are left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """A way to learn.

    Attributes:
        defaults: every setting and its default; no other is taken.
        space: what a tuner may try, (low, high) for numbers and a list for the rest.
    """

    name: str
    defaults: Settings
    space: Mapping[str, tuple[float, float] | list[str]]
    learn: Callable[[Playbook, TrainingBatch, int, Settings, bool], LearnedModel]

    def fit(
        self,
        playbook: Playbook,
        batch: TrainingBatch,
        seed: int,
        settings: Settings | None = None,
        *,
        serves: bool = True,
    ) -> LearnedModel:
        """Learn from n decisions.

        Args:
            serves: False for a model that only predicts: its resolution, which only exploration needs and
                which costs two fits more, is then the least there is.

        Raises:
            InvalidInput: a setting that this learner doesn't have, or an arm outside the playbook.
        """
        for name in settings or {}:
            if name not in self.defaults:
                known = list(self.defaults)
                raise InvalidInput.of(name, f"is no setting of {self.name}{nearest(name, known)}")
        if batch.features.shape[1] != len(playbook.schema) or batch.arm.max() >= len(playbook.arms):
            raise InvalidInput.of("batch", "has features or arms that the playbook doesn't have")
        return self.learn(playbook, batch, seed, {**self.defaults, **(settings or {})}, serves)


def resolution(one: Floats, other: Floats, sigma: float, rows: int) -> float:
    """Standard error of a difference of two scores, from two models, each of half the data.

    The halves are independent, so their scores differ by 4 times the variance of the whole model's; a
    difference of two arms has twice that. Only what moves arms against each other counts: row means go.
    Never below σ/√n, which is as well as n rewards can tell one mean.
    """
    difference = one - other
    difference = difference - difference.mean(axis=1, keepdims=True)
    return float(max(np.sqrt(np.mean(difference**2) / 2.0), sigma / np.sqrt(rows), _LEAST))


def _ridge(
    playbook: Playbook, batch: TrainingBatch, seed: int, settings: Settings, serves: bool
) -> LearnedModel:
    """Sums by fold, shrinkage by cross-validation over them; the halves are sums of folds too."""
    arms = playbook.arms
    widest = int(np.sqrt(_GRAM / (len(arms.actions) + 1)))
    encoder = _encoder(playbook, batch, settings, widest)
    weight = batch.weights * vowpal.importance(batch.propensity, str(settings["importance"]))
    encoded = encoder.encode(batch.features)
    fold = np.random.default_rng(seed).permutation(len(batch)) % 4
    parts = [
        RidgeSums.of(encoded[r], batch.arm[r], batch.reward[r], arms, weight=weight[r])
        for r in (fold == f for f in range(min(4, len(batch))))
    ]
    total = sum(parts[1:], start=parts[0])
    strength = float(settings["strength"]) or best_strength(parts, total)
    fit = total.solve(shrinkage(strength))
    W, names = fit.weights()
    model = LinearModel.compile(
        specification="ridge",
        encoder=encoder,
        weights=W,
        arm_features=names,
        arms=arms,
        sigma=fit.sigma,
        resolution=0.0,
    )
    if not serves:
        return _least(model, batch)
    halves = [sum(parts[i + 1 :: 2], start=parts[i]).solve(shrinkage(strength / 2)) for i in (0, 1)]
    return _resolved(model, _with(model, halves[0]), _with(model, halves[1]), batch)


def shrinkage(strength: float) -> Shrinkage:
    """One number for the three levels: all is shrunk less, since all decisions speak for it."""
    return Shrinkage(overall=min(strength, 100.0), category=strength, action=strength)


def best_strength(parts: list[RidgeSums], total: RidgeSums) -> float:
    """The strength with the least squared error on each part, fitted on the others."""
    errors: list[float] = [sum(p.error((total - p).solve(shrinkage(s))) for p in parts) for s in _STRENGTHS]
    return _STRENGTHS[int(np.argmin(errors))]


def _encoder(playbook: Playbook, batch: TrainingBatch, settings: Settings, widest: int = 10_000) -> Encoder:
    columns = min(int(settings["columns"]), widest, len(batch) // _SUPPORT)
    return Encoder.fit(playbook.schema, batch.features, int(settings["bins"]), columns)


def _vowpal(
    playbook: Playbook, batch: TrainingBatch, seed: int, settings: Settings, serves: bool
) -> LearnedModel:
    arms = playbook.arms
    encoder = _encoder(playbook, batch, settings)
    encoded = encoder.encode(batch.features)
    weight = batch.weights * vowpal.importance(batch.propensity, str(settings["importance"]))

    def learn(rows: Ints) -> LinearModel:
        W = vowpal.learn(
            encoded[rows],
            batch.arm[rows],
            batch.reward[rows],
            arms.features,
            weight=weight[rows],
            seed=seed,
            passes=int(settings["passes"]),
            rate=float(settings["rate"]),
            power=float(settings["power"]),
            l2=float(settings["l2"]),
        )
        return LinearModel.compile(
            specification="vowpal",
            encoder=encoder,
            weights=W,
            arm_features=arms.feature_names,
            arms=arms,
            sigma=0.0,
            resolution=0.0,
        )

    model = learn(np.arange(len(batch)))
    residual = batch.reward - model.scores(batch.features)[np.arange(len(batch)), batch.arm]
    model = replace(model, sigma=float(np.sqrt(np.average(residual**2, weights=weight))))
    if not serves:
        return _least(model, batch)
    one, other = (learn(rows) for rows in _halves(len(batch), seed))
    return _resolved(model, one, other, batch)


def _boosted(
    playbook: Playbook, batch: TrainingBatch, seed: int, settings: Settings, serves: bool
) -> LearnedModel:
    own = BoostedSettings(
        trees=int(settings["trees"]),
        rate=float(settings["rate"]),
        leaves=int(settings["leaves"]),
        leaf=int(settings["leaf"]),
        l2=float(settings["l2"]),
    )
    categories = [i for i, f in enumerate(playbook.schema.features) if f.kind == "category"]
    if not serves:
        return _least(boosted.fit(batch, playbook.arms, categories, seed, own, halves=False)[0], batch)
    model, one, other = boosted.fit(batch, playbook.arms, categories, seed, own, halves=True)
    return _resolved(model, one, other, batch)


def _halves(n: int, seed: int) -> list[Ints]:
    order = np.random.default_rng(seed).permutation(n)
    return [order[: n // 2], order[n // 2 :]]


def _with(model: LinearModel, fit: RidgeFit) -> LinearModel:
    """The model with another fit's weights."""
    return replace(model, weights=fit.weights()[0]).recompiled(model.arms)


def _least(model: _Model, batch: TrainingBatch) -> _Model:
    return replace(model, resolution=max(model.sigma / np.sqrt(len(batch)), _LEAST))


def _resolved(model: _Model, one: _Model, other: _Model, batch: TrainingBatch) -> _Model:
    rows = batch.features[:: max(len(batch) // _JUDGED, 1)]
    figure = resolution(one.scores(rows), other.scores(rows), model.sigma, len(batch))
    return replace(model, resolution=figure)


LEARNERS: dict[str, Learner] = {
    learner.name: learner
    for learner in (
        Learner(
            name="ridge",
            # strength 0 is chosen by cross-validation
            defaults={"bins": 4, "columns": 400, "strength": 0.0, "importance": "none"},
            space={"bins": (1, 6), "strength": (10.0, 100_000.0), "importance": ["none", "clipped"]},
            learn=_ridge,
        ),
        Learner(
            name="vowpal",
            defaults={
                "bins": 4,
                "columns": 400,
                "importance": "none",
                "passes": 2,
                "rate": 0.02,
                "power": 0.5,
                "l2": 0.0,
            },
            space={
                "bins": (1, 6),
                "importance": ["none", "clipped"],
                "passes": (1, 5),
                "rate": (0.005, 0.5),
                "l2": (0.0, 1e-4),
            },
            learn=_vowpal,
        ),
        Learner(
            name="boosted",
            defaults={"trees": 150, "rate": 0.05, "leaves": 15, "leaf": 50, "l2": 10.0},
            space={"trees": (50, 400), "rate": (0.01, 0.2), "leaves": (4, 63), "leaf": (20, 500)},
            learn=_boosted,
        ),
    )
}
