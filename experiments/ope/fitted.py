"""Predicted rewards that no row had a part in: a model for each fold of customers, fitted on the others.

DR, SNDR and their kin are unbiased given the model only if a row's prediction doesn't depend on its own
reward; rows of one customer are dependent, so folds are of customers. Chernozhukov et al. (2018), §3, for
cross-fitting. For a data scientist with arrays: no playbook and no store. What is fitted is handed in:
`by_arm` makes it from anything with `fit` and `predict`, `ridge` is a plain choice, `learned.py` has the
engine's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from experiments.ope.batch import Floats, Ints
from nba.errors import InvalidInput, NotEnoughData

Predict = Callable[[Floats], Floats]
"""(m, F) features → (m, k) rewards."""

Fit = Callable[[Floats, Ints, Floats, int], Predict]
"""(n, F) features, (n,) arms, (n,) rewards, k arms → what predicts."""


class Regressor(Protocol):
    """What scikit-learn's regressors are."""

    def fit(self, X: Floats, y: Floats) -> Any: ...

    def predict(self, X: Floats) -> Floats: ...


def cross_fitted(
    features: ArrayLike,
    arm: ArrayLike,
    reward: ArrayLike,
    *,
    arms: int,
    fit: Fit,
    customer: ArrayLike | None = None,
    folds: int = 5,
    seed: int = 0,
) -> Floats:
    """(n, k) `q_hat` for a LoggedBatch.

    Args:
        features: (n, F); arm: (n,) in [0, arms); reward: (n,).
        fit: what to fit on the rows of all folds but one; it sees no other rows.
        customer: (n,) whom each row was for; all rows of a customer share a fold. Each its own by default.

    Raises:
        InvalidInput: shapes that don't fit, or fewer than two folds.
        NotEnoughData: fewer customers than folds.
    """
    X, a, r = np.asarray(features, dtype=np.float64), np.asarray(arm), np.asarray(reward, dtype=np.float64)
    if X.ndim != 2 or a.shape != (len(X),) or r.shape != (len(X),):
        raise InvalidInput.of("features", f"{X.shape} don't fit arms {a.shape} and rewards {r.shape}")
    if folds < 2:
        raise InvalidInput.of("folds", f"must be at least 2, but is {folds}")
    fold = folds_of(np.arange(len(X)) if customer is None else np.asarray(customer), folds, seed)
    predicted = np.empty((len(X), arms))
    for f in range(folds):
        inside = fold != f
        predicted[~inside] = fit(X[inside], a[inside].astype(np.int64), r[inside], arms)(X[~inside])
    return predicted


def folds_of(customer: ArrayLike, folds: int, seed: int) -> Ints:
    """(n,) the fold of each row; all rows of a customer share one, and folds have alike many customers.

    Raises:
        NotEnoughData: fewer customers than folds.
    """
    known, position = np.unique(np.asarray(customer), return_inverse=True)
    if len(known) < folds:
        raise NotEnoughData(
            f"{folds} folds need as many customers", {"customers": float(len(known)), "needed": float(folds)}
        )
    fold: Ints = (np.random.default_rng(seed).permutation(len(known)) % folds)[position].astype(np.int64)
    return fold


def by_arm(make: Callable[[], Regressor], *, least: int = 20) -> Fit:
    """One regressor an arm; an arm with fewer than `least` rows earns their mean, shrunk to all's."""

    def fit(X: Floats, arm: Ints, reward: Floats, arms: int) -> Predict:
        models = [
            _of_arm(make, X[arm == a], reward[arm == a], float(reward.mean()), least) for a in range(arms)
        ]
        return lambda features: np.column_stack([model(features) for model in models])

    return fit


def ridge(strength: float = 10.0, least: int = 20) -> Fit:
    """A ridge regression an arm on standardised features, missing values at their mean."""
    return by_arm(lambda: _Ridge(strength), least=least)


def _of_arm(
    make: Callable[[], Regressor], X: Floats, reward: Floats, overall: float, least: int
) -> Callable[[Floats], Floats]:
    if len(reward) < least:
        level = (float(reward.sum()) + least * overall) / (len(reward) + least)
        return lambda features: np.full(len(features), level)
    model = make()
    model.fit(X, reward)
    return lambda features: np.asarray(model.predict(features), dtype=np.float64)


class _Ridge:
    """y ≈ mean + (X − centre) / scale · w, the intercept not penalised."""

    def __init__(self, strength: float) -> None:
        self._strength = strength

    def fit(self, X: Floats, y: Floats) -> None:
        known = np.isfinite(X)
        count = np.maximum(known.sum(axis=0), 1)
        self._centre = np.where(known, X, 0.0).sum(axis=0) / count
        spread = np.where(known, X - self._centre, 0.0)
        scale = np.sqrt((spread**2).sum(axis=0) / count)
        self._scale = np.where(scale > 0, scale, 1.0)
        Z = self._columns(X)
        self._level = float(y.mean())
        gram = np.einsum("ij,ik->jk", Z, Z) + self._strength * np.eye(Z.shape[1])
        self._w = np.linalg.solve(gram, np.einsum("ij,i->j", Z, y - self._level))

    def predict(self, X: Floats) -> Floats:
        predicted: Floats = self._level + np.einsum("ij,j->i", self._columns(X), self._w)
        return predicted

    def _columns(self, X: Floats) -> Floats:
        columns: Floats = np.where(np.isfinite(X), (X - self._centre) / self._scale, 0.0)
        return columns
