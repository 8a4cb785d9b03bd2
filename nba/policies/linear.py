"""A linear reward model as arrays: score(x, a) = φ(a)ᵀ W z(x), compiled for an arm table to b + M z(x).

Whoever learned W is no matter here. Each row is a product of its own, of fixed shape, so a row's scores
don't depend on its batch in any bit: BLAS promises that for the same shape only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nba.errors import SchemaMismatch
from nba.playbook.arms import ArmTable
from nba.policies.encoder import Encoder
from nba.policies.policy import Floats, Ints

_TILE = 8192  # entries of a tile of M; OpenBLAS splits larger products over threads, which moves bits
_ROWS = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearModel:
    """Expected reward, in currency.

    Attributes:
        specification: the learner's name.
        encoder: features → z, (n, d).
        weights: W, (p + 1, d + 1); row 0 is the constant arm feature, column 0 the constant context.
        arm_features: (p,) names of W's other rows: columns of `ArmTable.features`, or products `a&b`.
        arms: the arm table it is compiled for.
        sigma: standard deviation of the residual, in currency.
        resolution: standard error of a difference of two scores of one row, root mean square.
        level: (k,) b.
        tiles: (t, d, w) M, transposed and cut into tiles of w arms, the last filled with zeros.
        phi: (k, p + 1) φ of each arm.
    """

    specification: str
    encoder: Encoder
    weights: Floats
    arm_features: tuple[str, ...]
    arms: ArmTable
    sigma: float
    resolution: float
    level: Floats
    tiles: Floats
    phi: Floats

    @classmethod
    def compile(
        cls,
        *,
        specification: str,
        encoder: Encoder,
        weights: Floats,
        arm_features: Sequence[str],
        arms: ArmTable,
        sigma: float,
        resolution: float,
    ) -> LinearModel:
        """W for an arm table. Arm features that the table lacks are 0 there; those W lacks don't count."""
        phi = arm_matrix(arms, arm_features)
        # einsum adds in a fixed order; BLAS would make the last bit of M depend on the number of arms
        matrix = np.einsum("kp,pd->kd", phi, weights)
        return cls(
            specification=specification,
            encoder=encoder,
            weights=weights,
            arm_features=tuple(arm_features),
            arms=arms,
            sigma=sigma,
            resolution=resolution,
            level=matrix[:, 0].copy(),
            tiles=_tiles(matrix[:, 1:]),
            phi=phi,
        )

    @property
    def matrix(self) -> Floats:
        """M, (k, d)."""
        t, d, w = self.tiles.shape
        return self.tiles.transpose(0, 2, 1).reshape(t * w, d)[: len(self.level)]

    def recompiled(self, arms: ArmTable) -> LinearModel:
        """The same W for another arm table.

        Raises:
            SchemaMismatch: an arm that both tables have has other features now (an attribute changed
                its scale), so W would mean something else.
        """
        phi = arm_matrix(arms, self.arm_features)
        for name, arm in arms.index.items():
            before = self.arms.index.get(name)
            if before is not None and not np.allclose(phi[arm], self.phi[before], rtol=0, atol=1e-12):
                raise SchemaMismatch(f"the arm {name} has other features than in training; train again")
        return LinearModel.compile(
            specification=self.specification,
            encoder=self.encoder,
            weights=self.weights,
            arm_features=self.arm_features,
            arms=arms,
            sigma=self.sigma,
            resolution=self.resolution,
        )

    def scores(self, features: Floats) -> Floats:
        """(n, F) → (n, k)."""
        k = len(self.level)
        scores = np.empty((len(features), k))
        for start in range(0, len(features), _ROWS):
            encoded = self.encoder.encode(features[start : start + _ROWS])
            products = np.matmul(encoded[:, None, None, :], self.tiles)
            np.add(products.reshape(len(encoded), -1)[:, :k], self.level, out=scores[start : start + _ROWS])
        return scores

    def contributions(self, features: Floats, arm: Ints) -> Floats:
        """(n, F), (n,) → (n, F); with the arm's level they add up to its score."""
        parts = self.encoder.encode(features) * self.matrix[arm]
        sums = np.zeros(features.shape)
        for column, source in enumerate(self.encoder.source):
            sums[:, source] += parts[:, column]
        return sums


def arm_matrix(arms: ArmTable, names: Sequence[str]) -> Floats:
    """(k, p + 1): the constant, then each named arm feature; `a&b` is a product unless it is a column."""
    position = {name: i for i, name in enumerate(arms.feature_names)}
    phi = np.zeros((len(arms), len(names) + 1))
    phi[:, 0] = 1.0
    for i, name in enumerate(names, start=1):
        parts = [name] if name in position else name.split("&")
        if all(part in position for part in parts):
            phi[:, i] = np.prod([arms.features[:, position[part]] for part in parts], axis=0)
    return phi


def _tiles(matrix: Floats) -> Floats:
    k, d = matrix.shape
    width = min(max(_TILE // max(d, 1), 1), k)
    count = -(-k // width)
    padded = np.zeros((count * width, d))
    padded[:k] = matrix
    return np.ascontiguousarray(padded.reshape(count, width, d).transpose(0, 2, 1))
