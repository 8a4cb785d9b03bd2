"""Learn a linear reward model with Vowpal Wabbit, and its heads from bootstrap samples of the decisions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nba.policies import vowpal
from nba.policies.bilinear import Weights
from nba.policies.encoder import Encoder
from nba.policies.lesson import Lesson
from nba.policies.linear import LinearModel, scores_of_drawn
from nba.policies.policy import Floats, Ints

_HEADS = 1  # a stream of its own beside the folds'


def learn(lesson: Lesson) -> LinearModel:
    """W over all decisions, over each half for the resolution, and over resamples for the heads."""
    batch, encoder = lesson.batch, lesson.encoder()
    encoded, weight = encoder.encode(batch.features), lesson.weight
    everything = np.arange(len(batch))
    model = _compiled(lesson, encoder, _weights(lesson, encoded, everything, weight))
    residual = batch.reward - scores_of_drawn(model, encoded, lesson.arms, batch.arm)
    heads = Weights.of(_resampled(lesson, encoded, weight)) if lesson.heads else None
    model = _compiled(lesson, encoder, model.weights, heads)
    model = replace(model, sigma=float(np.sqrt(np.average(residual**2, weights=weight))))
    if not lesson.serves:
        return lesson.least_resolved(model)
    one, other = (
        _compiled(lesson, encoder, _weights(lesson, encoded, rows, weight)) for rows in lesson.halves()
    )
    return lesson.resolved(model, one, other)


def _resampled(lesson: Lesson, encoded: Floats, weight: Floats) -> Floats:
    """(M, p + 1, d + 1): each decision counts Poisson(1) times, drawn anew for each head.

    The online bootstrap of Oza & Russell (2001), as Eckles & Kaptein (2014) use it for Thompson sampling.
    It knows no prior: on what no decision speaks of, the heads agree. Ridge's draws don't.
    """
    rng = np.random.default_rng((lesson.seed, _HEADS))
    heads = []
    for _ in range(lesson.heads):
        times = rng.poisson(1.0, len(encoded))
        rows = np.flatnonzero(times) if times.any() else np.arange(len(encoded))
        heads.append(_weights(lesson, encoded, rows, weight * np.maximum(times, 1)))
    return np.stack(heads)


def _weights(lesson: Lesson, encoded: Floats, rows: Ints, weight: Floats) -> Floats:
    """W from some of the decisions."""
    batch, settings = lesson.batch, lesson.settings
    return vowpal.learn(
        encoded[rows],
        batch.arm[rows],
        batch.reward[rows],
        lesson.arms.features,
        weight=weight[rows],
        seed=lesson.seed,
        passes=int(settings["passes"]),
        rate=float(settings["rate"]),
        power=float(settings["power"]),
        l2=float(settings["l2"]),
    )


def _compiled(lesson: Lesson, encoder: Encoder, weights: Floats, heads: Weights | None = None) -> LinearModel:
    return LinearModel.compile(
        specification="vowpal",
        encoder=encoder,
        weights=weights,
        arm_features=lesson.arms.feature_names,
        arms=lesson.playbook.arms,
        sigma=0.0,
        resolution=0.0,
        heads=heads,
    )
