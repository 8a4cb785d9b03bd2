"""score(x, a) = φ(a)ᵀ W z(x) in two steps, v = W z and then φ·v, for several W at once.

For arms that come with a request, where compiling M = ΦW would cost more than it saves, and for the heads
of a model, where it would take M times the memory. Knows no learner and no exploration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nba.playbook.arms import ArmTable
from nba.policies.policy import Floats, Ints
from nba.policies.products import tiles, times, whole


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """Where the arm features that W speaks of stand in an arm table's columns.

    A term is a column, or the product `a&b` of two. The constant comes first.

    Attributes:
        first, second: (p + 1,) columns whose product is the term; column P is 1, column P + 1 is 0.
    """

    first: Ints
    second: Ints

    @classmethod
    def of(cls, columns: Sequence[str], names: Sequence[str]) -> Terms:
        """Names that are no column, or no product of two, are 0 everywhere."""
        position = {name: i for i, name in enumerate(columns)}
        one, zero = len(columns), len(columns) + 1
        pairs = [(one, one)]
        for name in names:
            left, _, right = name.partition("&")
            if name in position:
                pairs.append((position[name], one))
            elif left in position and right in position:
                pairs.append((position[left], position[right]))
            else:
                pairs.append((zero, one))
        first, second = np.array(pairs, dtype=np.int64).T
        return cls(first.copy(), second.copy())

    def matrix(self, features: Floats) -> Floats:
        """(k, P) arm features → φ, (k, p + 1)."""
        wide = _padded(features)
        phi: Floats = wide.take(self.first, axis=1) * wide.take(self.second, axis=1)
        return phi

    def present(self, features: Floats) -> Ints:
        """(q,) the terms that are not 0 for all arms of (k, P) features; the constant is one."""
        somewhere = np.append(features.any(axis=0), (True, False))
        return np.flatnonzero(somewhere[self.first] & somewhere[self.second])

    def at(self, terms: Ints) -> Terms:
        return Terms(self.first[terms], self.second[terms])


def _padded(features: Floats) -> Floats:
    k, columns = features.shape
    wide = np.empty((k, columns + 2))
    wide[:, :columns] = features
    wide[:, columns], wide[:, columns + 1] = 1.0, 0.0
    return wide


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """H matrices W, (p + 1, d + 1) each, ready for their products with z.

    Attributes:
        level: (H, p + 1) their first columns.
        sloped: (r,) terms whose rows of W say something of the context; the others have a level alone.
        slopes: the tiles of these rows, (H·r, d).
    """

    level: Floats
    sloped: Ints
    slopes: Floats

    @classmethod
    def of(cls, stack: Floats) -> Weights:
        """(H, p + 1, d + 1) → the same without its zeros."""
        sloped = np.flatnonzero(stack[:, :, 1:].any(axis=(0, 2)))
        return cls.sparse(stack[:, :, 0].copy(), sloped, stack[:, sloped, 1:])

    @classmethod
    def sparse(cls, level: Floats, sloped: Ints, slopes: Floats) -> Weights:
        """(H, p + 1), (r,), (H, r, d): what `matrix` gives back."""
        heads, rows, d = slopes.shape
        return cls(level, sloped, tiles(slopes.reshape(heads * rows, d)))

    @property
    def matrix(self) -> Floats:
        """(H, r, d) the sloped rows without their level."""
        rows = whole(self.slopes, len(self) * len(self.sloped))
        return rows.reshape(len(self), len(self.sloped), self.slopes.shape[1])

    def __len__(self) -> int:
        return len(self.level)

    def project(self, encoded: Floats) -> Floats:
        """(n, d) → v, (n, H, r)."""
        flat = times(encoded, self.slopes, len(self) * len(self.sloped))
        return flat.reshape(len(encoded), len(self), len(self.sloped))


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """Arms as the weights see them.

    Attributes:
        level: (H, k) what the arms score at z = 0.
        used: (s,) which of the r projections these arms take.
        phi: the tiles of their (k, s) coefficients.
    """

    level: Floats
    used: Ints
    phi: Floats

    @classmethod
    def of(cls, weights: Weights, terms: Terms, arms: ArmTable, start: int = 0) -> Basis:
        """The arms from `start` on."""
        features = arms.features[start:]
        present = terms.present(features)
        phi = terms.at(present).matrix(features)
        place = np.full(len(terms.first), -1)
        place[weights.sloped] = np.arange(len(weights.sloped))
        sloped = place[present] >= 0
        cut = tiles(phi)
        level = times(weights.level[:, present], cut, len(phi))
        return cls(level, place[present][sloped], cut if sloped.all() else tiles(phi[:, sloped]))

    def scores(self, projected: Floats) -> Floats:
        """(n, H, r) → (n, H, k)."""
        scores = times(projected.take(self.used, axis=2), self.phi, self.level.shape[1])
        return np.add(scores, self.level)


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """M draws of a model, and the arms as they see them, in the order of the arm table."""

    weights: Weights
    bases: tuple[Basis, ...]

    def __len__(self) -> int:
        return len(self.weights)

    def scores(self, encoded: Floats) -> Floats:
        """(n, d) → (n, M, k): what each draw makes of each arm."""
        projected = self.weights.project(encoded)
        return np.concatenate([basis.scores(projected) for basis in self.bases], axis=2)

    def and_of(self, terms: Terms, arms: ArmTable, start: int) -> Heads:
        """With the arms from `start` on as well."""
        return Heads(self.weights, (*self.bases, Basis.of(self.weights, terms, arms, start)))
