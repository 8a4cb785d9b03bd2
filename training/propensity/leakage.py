"""Refuse a feature that alone explains the target: most likely it is the target, written down later.

A feature explains the share 1 − L/H of the target: H is the target's entropy, L the out-of-fold log loss
of the plainest model of this feature alone, the rate of positives in each of its values (numbers in up to
64 quantile bins, "not known" a bin of its own). It is McFadden's R² of the feature. One that takes away
half of all uncertainty is a leak. What that means: a copied label scores 1; a balanced label of which
one in ten is flipped still 0.53. Of honest features none comes near: see `tests/training/propensity`.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from nba.errors import FieldError, InvalidInput
from training.propensity.table import Table

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LIMIT = 0.5
BINS = 64
FOLDS = 5


def guard(table: Table, allowed: Collection[str] = ()) -> dict[str, float]:
    """The share of the target that each feature alone explains, most first.

    Raises:
        InvalidInput: features outside `allowed` that explain `LIMIT` or more, each by name.
    """
    shares = explained(table)
    leaks = [name for name, share in shares.items() if share >= LIMIT and name not in allowed]
    if leaks:
        raise InvalidInput([FieldError(field=name, detail=_detail(shares[name])) for name in leaks])
    return shares


def explained(table: Table) -> dict[str, float]:
    """1 − L/H of each feature, most first; two classes. Below 0 where the feature says nothing."""
    y = (table.y == len(table.classes) - 1).astype(np.int64)
    folds = _folds(table)
    shares = {}
    for column, name in enumerate(table.names):
        values = table.X[:, column]
        codes = _levels(values) if name in table.categorical else _bins(values)
        shares[name] = _share(codes, y, folds)
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _share(codes: Ints, y: Ints, folds: Ints) -> float:
    """Rates are pulled to the overall rate by the weight of one row, so that none is 0 or 1."""
    base = float(y.mean())
    entropy = -float(xlogy(base, base) + xlogy(1 - base, 1 - base))
    if entropy == 0.0:
        return 0.0
    levels = int(codes.max()) + 1
    cell = codes * FOLDS + folds
    n = np.bincount(cell, minlength=levels * FOLDS).reshape(levels, FOLDS)
    hits = np.bincount(cell, weights=y, minlength=levels * FOLDS).reshape(levels, FOLDS)
    others, other_hits = n.sum(axis=1, keepdims=True) - n, hits.sum(axis=1, keepdims=True) - hits
    rate = (other_hits + base) / (others + 1.0)
    loss = -float((xlogy(hits, rate) + xlogy(n - hits, 1.0 - rate)).sum()) / len(y)
    return 1.0 - loss / entropy


def _bins(values: Floats) -> Ints:
    known = ~np.isnan(values)
    if not known.any():
        return np.zeros(len(values), dtype=np.int64)
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, BINS + 1)[1:-1], method="lower"))
    return np.where(known, np.searchsorted(edges, values, side="left"), len(edges) + 1).astype(np.int64)


def _levels(values: Floats) -> Ints:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _folds(table: Table) -> Ints:
    """A customer's rows share a fold, so that knowing the customer is not knowing the answer."""
    if table.customer is None:
        return np.arange(len(table), dtype=np.int64) % FOLDS
    return np.unique(table.customer, return_inverse=True)[1].astype(np.int64) % FOLDS


def _detail(share: float) -> str:
    return (
        f"alone explains {share:.0%} of the target, as only a leak does; "
        "leave it out by --drop, or keep it by --allow-leak if it is known before the moment of prediction"
    )
