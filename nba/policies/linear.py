"""A linear reward model as arrays: score(x, a) = φ(a)ᵀ W z(x), compiled for an arm table to b + M z(x).

Whoever learned W is no matter here. A row's scores don't depend on its batch in any bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nba.errors import SchemaMismatch
from nba.playbook.arms import ArmTable
from nba.policies.bilinear import Basis, Heads, Terms, Weights
from nba.policies.encoder import Encoder
from nba.policies.policy import Floats, Ints
from nba.policies.products import tiles, times, whole
from nba.policies.thompson import NO_HEADS

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
        tiles: (t, d, w) the tiles of M.
        phi: (k, p + 1) φ of each arm.
        terms: where W's arm features stand in the columns of the arm table.
        own: W ready for arms that come later.
        heads: M further W that the data allow (posterior draws, or learned from bootstrap samples), which
            Thompson sampling asks; None where the model has none.
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
    terms: Terms
    own: Weights
    heads: Heads | None

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
        heads: Weights | None = None,
    ) -> LinearModel:
        """W for an arm table. Arm features that the table lacks are 0 there; those W lacks don't count."""
        terms, own = Terms.of(arms.feature_names, arm_features), Weights.of(weights[None])
        phi = terms.matrix(arms.features)
        # einsum adds in a fixed order; BLAS would make the last bit of M depend on the number of arms
        return cls(
            specification=specification,
            encoder=encoder,
            weights=weights,
            arm_features=tuple(arm_features),
            arms=arms,
            sigma=sigma,
            resolution=resolution,
            level=np.einsum("kp,p->k", phi, weights[:, 0].copy()),
            tiles=tiles(np.einsum("kp,pd->kd", phi[:, own.sloped], weights[own.sloped, 1:])),
            phi=phi,
            terms=terms,
            own=own,
            heads=None if heads is None else Heads(heads, ()).and_of(terms, arms, 0),
        )

    @property
    def matrix(self) -> Floats:
        """M, (k, d)."""
        return whole(self.tiles, len(self.level))

    @property
    def head_count(self) -> int:
        return 0 if self.heads is None else len(self.heads)

    def recompiled(self, arms: ArmTable) -> LinearModel:
        """The same W for another arm table.

        Raises:
            SchemaMismatch: an arm that both tables have has other features now (an attribute changed
                its scale), so W would mean something else.
        """
        phi = Terms.of(arms.feature_names, self.arm_features).matrix(arms.features)
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
            heads=None if self.heads is None else self.heads.weights,
        )

    def under(self, arms: ArmTable) -> BroughtModel:
        """For a table that has further arms after its own, which are scored by the same W."""
        k = len(self.level)
        return BroughtModel(
            base=self,
            arms=arms,
            basis=Basis.of(self.own, self.terms, arms, k),
            heads=None if self.heads is None else self.heads.and_of(self.terms, arms, k),
        )

    def scores(self, features: Floats) -> Floats:
        """(n, F) → (n, k)."""
        k = len(self.level)
        scores = np.empty((len(features), k))
        for start in range(0, len(features), _ROWS):
            rows = slice(start, start + _ROWS)
            np.add(times(self.encoder.encode(features[rows]), self.tiles, k), self.level, out=scores[rows])
        return scores

    def head_scores(self, features: Floats) -> Floats:
        """(n, F) → (n, M, k): what each head makes of each arm. Raises SchemaMismatch without heads."""
        return _asked(self.heads).scores(self.encoder.encode(features))

    def contributions(self, features: Floats, arm: Ints) -> Floats:
        """(n, F), (n,) → (n, F); with the arm's level they add up to its score."""
        return _by_feature(self.encoder, self.encoder.encode(features) * self.matrix[arm], features.shape)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BroughtModel:
    """A linear model for its own arms and further ones, which are scored by the same W, uncompiled.

    Attributes:
        base: the model for the first arms of `arms`.
        basis: the further arms as W sees them.
        heads: those of the base, with all arms as they see them.
    """

    base: LinearModel
    arms: ArmTable
    basis: Basis
    heads: Heads | None

    @property
    def specification(self) -> str:
        return self.base.specification

    @property
    def sigma(self) -> float:
        return self.base.sigma

    @property
    def resolution(self) -> float:
        return self.base.resolution

    @property
    def head_count(self) -> int:
        return self.base.head_count

    def scores(self, features: Floats) -> Floats:
        """(n, F) → (n, k)."""
        projected = self.base.own.project(self.base.encoder.encode(features))
        return np.hstack((self.base.scores(features), self.basis.scores(projected)[:, 0]))

    def head_scores(self, features: Floats) -> Floats:
        """(n, F) → (n, M, k). Raises SchemaMismatch without heads."""
        return _asked(self.heads).scores(self.base.encoder.encode(features))

    def contributions(self, features: Floats, arm: Ints) -> Floats:
        """(n, F), (n,) → (n, F); with the arm's level they add up to its score."""
        phi = self.base.terms.matrix(self.arms.features[arm])
        slopes = np.einsum("np,pd->nd", phi, self.base.weights[:, 1:])
        encoder = self.base.encoder
        return _by_feature(encoder, encoder.encode(features) * slopes, features.shape)

    def recompiled(self, arms: ArmTable) -> LinearModel:
        return self.base.recompiled(arms)

    def under(self, arms: ArmTable) -> BroughtModel:
        return self.base.under(arms)


def scores_of_drawn(model: LinearModel, encoded: Floats, arms: ArmTable, arm: Ints) -> Floats:
    """(n, d), (n,) → (n,) what W makes of one arm a row, of any table with the same arm features."""
    phi = Terms.of(arms.feature_names, model.arm_features).matrix(arms.features)
    compiled = phi @ model.weights
    scores = np.empty(len(arm))
    for start in range(0, len(arm), _ROWS):
        rows = slice(start, start + _ROWS)
        slopes = compiled[arm[rows]]
        scores[rows] = slopes[:, 0] + np.einsum("nd,nd->n", slopes[:, 1:], encoded[rows])
    return scores


def _asked(heads: Heads | None) -> Heads:
    if heads is None:
        raise SchemaMismatch(f"this linear model {NO_HEADS}")
    return heads


def _by_feature(encoder: Encoder, parts: Floats, shape: tuple[int, ...]) -> Floats:
    """(n, d) parts by column → (n, F) by feature."""
    sums = np.zeros(shape)
    for column, source in enumerate(encoder.source):
        sums[:, source] += parts[:, column]
    return sums
