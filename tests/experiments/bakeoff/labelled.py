"""Small labelled tasks for the tests of the bake-off."""

from __future__ import annotations

import numpy as np

from experiments.bakeoff.tasks import Task, of_numbers


def two_sided(n: int = 300, seed: int = 0) -> Task:
    """Three classes that a line tells apart, with a little noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return of_numbers("sides", X, np.digitize(X[:, 0] + 0.2 * rng.normal(size=n), [-0.5, 0.5]))


def crossed(n: int = 600, seed: int = 0) -> Task:
    """Two classes that only the product of two numbers tells apart."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return of_numbers("crossed", X, (X[:, 0] * X[:, 1] > 0).astype(np.int64))
