"""A shuffled task as columns for linear learners. Fitted on contexts alone; knows no policy, no reward.

    raw       numbers as they are, categories as one-hots
    binned    the engine's encoding: scaled numbers beside quantile bins, one-hots
    products  binned, and the products of pairs of scaled numbers and one-hots

The encoder sees the first contexts of the order and nothing of any label, as a company knows customers
before it contacts them. The same columns go to whoever asks for them.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from experiments.bakeoff.tasks import Task
from nba.policies.encoder import Encoder
from nba.policies.policy import Floats, Ints

BLOCK = 500  # contexts that the columns are fitted on
PRODUCTS = 300  # at most; those that vary most
_BOUND = 6.0  # of a product


class Rounds:
    """A shuffled task, ready to be played in its order."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self._made: dict[str, Floats] = {}

    def columns(self, name: str) -> Floats:
        """(n, 1 + d) the constant and the columns called `raw`, `binned` or `products`."""
        if name not in self._made:
            make = {"raw": self._raw, "binned": self._binned, "products": self._products}[name]
            self._made[name] = make()
        return self._made[name]

    @cached_property
    def _encoder(self) -> Encoder:
        return Encoder.fit(self.task.schema, self.task.features[:BLOCK])

    @cached_property
    def _encoded(self) -> Floats:
        return self._encoder.encode(self.task.features)

    def _raw(self) -> Floats:
        parts = [np.ones((len(self.task), 1))]
        for feature, x in zip(self.task.schema.features, self.task.features.T, strict=True):
            if feature.kind == "category":
                parts.append((x[:, None] == np.arange(len(feature.categories))).astype(np.float64))
            else:
                parts.append(np.nan_to_num(x)[:, None])
        return np.hstack(parts)

    def _binned(self) -> Floats:
        return np.hstack((np.ones((len(self.task), 1)), self._encoded))

    def _products(self) -> Floats:
        Z = self._encoded
        left, right = pairs(self._encoder, Z[:BLOCK], PRODUCTS)
        products = Z[:, left] * Z[:, right]
        products -= products[:BLOCK].mean(axis=0)
        return np.hstack((self.columns("binned"), np.clip(products, -_BOUND, _BOUND)))


def pairs(encoder: Encoder, block: Floats, most: int) -> tuple[Ints, Ints]:
    """The columns to multiply: scaled numbers (squares too) and one-hots of different features.

    Quantile bins stay out: they bend a number by itself already. Above `most` pairs, those whose product
    varies most over the (m, d) block are kept.
    """
    values, source = len(encoder.value_source), encoder.source
    columns = np.flatnonzero((np.arange(len(source)) < values) | ~np.isin(source, encoder.value_source))
    i, j = np.triu_indices(len(columns))
    left, right = columns[i], columns[j]
    apart = (source[left] != source[right]) | ((left == right) & (left < values))
    left, right = left[apart], right[apart]
    variance = (block[:, left] * block[:, right]).var(axis=0)
    kept = np.sort(np.argsort(-variance, kind="stable")[:most])
    return left[kept], right[kept]
