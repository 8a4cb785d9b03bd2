"""Learn a linear reward model from ridge sums: shrinkage by cross-validation, heads from the posterior."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nba.policies.bilinear import Weights
from nba.policies.branches import branch_count
from nba.policies.lesson import Lesson
from nba.policies.linear import LinearModel
from nba.policies.ridge import RidgeFit, RidgeSums, Shrinkage

_GRAM = 20_000_000  # numbers in all of the gram matrices
_STRENGTHS = (30.0, 300.0, 3_000.0, 30_000.0)


def learn(lesson: Lesson) -> LinearModel:
    """Sums by fold, shrinkage by cross-validation over them; the halves are sums of folds too."""
    batch, arms = lesson.batch, lesson.arms
    encoder = lesson.encoder(widest=int(np.sqrt(_GRAM / branch_count(arms))))
    encoded, weight = encoder.encode(batch.features), lesson.weight
    fold = np.random.default_rng(lesson.seed).permutation(len(batch)) % 4
    parts = [
        RidgeSums.of(encoded[r], batch.arm[r], batch.reward[r], arms, weight=weight[r])
        for r in (fold == f for f in range(min(4, len(batch))))
    ]
    total = sum(parts[1:], start=parts[0])
    strength = float(lesson.settings["strength"]) or best_strength(parts, total)
    fit = total.solve(shrinkage(strength))
    W, names = fit.weights()
    model = LinearModel.compile(
        specification="ridge",
        encoder=encoder,
        weights=W,
        arm_features=names,
        arms=lesson.playbook.arms,
        sigma=fit.sigma,
        resolution=0.0,
        heads=Weights.of(fit.draws(lesson.heads, lesson.seed)) if lesson.heads else None,
    )
    if not lesson.serves:
        return lesson.least_resolved(model)
    halves = [sum(parts[i + 1 :: 2], start=parts[i]).solve(shrinkage(strength / 2)) for i in (0, 1)]
    return lesson.resolved(model, _with(model, halves[0]), _with(model, halves[1]))


def shrinkage(strength: float) -> Shrinkage:
    """One number for the three levels: all is shrunk less, since all decisions speak for it."""
    return Shrinkage(overall=min(strength, 100.0), category=strength, action=strength)


def best_strength(parts: list[RidgeSums], total: RidgeSums) -> float:
    """The strength with the least squared error on each part, fitted on the others."""
    errors: list[float] = [sum(p.error((total - p).solve(shrinkage(s))) for p in parts) for s in _STRENGTHS]
    return _STRENGTHS[int(np.argmin(errors))]


def _with(model: LinearModel, fit: RidgeFit) -> LinearModel:
    """The model with another fit's weights, and no heads."""
    return replace(model, weights=fit.weights()[0], heads=None).recompiled(model.arms)
