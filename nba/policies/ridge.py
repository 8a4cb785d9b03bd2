"""Ridge regression from sums, with priors shared up the tree action → category → all.

For each action a over z = [1, x, channel one-hots, timing one-hots], and for `no_contact` over [1, x]:

    Aₐ = Σ w z zᵀ,   bₐ = Σ w r z,   Σ w r²,   Σ w,   n
    θₐ = (Aₐ + λ I)⁻¹ (bₐ + λ θ_parent)

where a parent is fitted on the sums of its other children alone, so that no decision counts twice. The
sums are exact and additive: parts add up to the whole, `decay` forgets. They belong to one encoder, one
list of actions and one version of the reward, which `basis` names. Knows no files and no exploration.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from nba.errors import InvalidInput, NotEnoughData
from nba.playbook.arms import ArmTable
from nba.policies.policy import Floats, Ints

_JITTER = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrinkage:
    """How many decisions a prior is worth: of zero slopes for all, of its parent for the others."""

    overall: float = 10.0
    category: float = 30.0
    action: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RidgeSums:
    """Sums over decisions. Branch 0 is `no_contact`, branch i + 1 is action i.

    Attributes:
        basis: what the sums belong to; sums add only where it is the same.
        arms: the arm table the branches follow.
        gram: (m + 1, q, q) Σ w z zᵀ, q = 1 + d + channels + timings.
        moment: (m + 1, q) Σ w r z.
        squares, weight, count: (m + 1,) Σ w r², Σ w, and how many (fading like the rest under `decay`).
    """

    basis: str
    arms: ArmTable
    gram: Floats
    moment: Floats
    squares: Floats
    weight: Floats
    count: Floats

    @classmethod
    def of(
        cls,
        encoded: Floats,
        arm: Ints,
        reward: Floats,
        arms: ArmTable,
        *,
        weight: Floats | None = None,
        basis: str = "",
    ) -> RidgeSums:
        """Sums of (n, d) encoded rows, (n,) arms and rewards, each counting as its weight."""
        w = np.ones(len(arm)) if weight is None else weight
        branches, q = len(arms.actions) + 1, 1 + encoded.shape[1] + len(arms.channels) + len(arms.timings)
        gram, moment = np.zeros((branches, q, q)), np.zeros((branches, q))
        branch = arms.action[arm] + 1
        for i in np.unique(branch):
            rows = np.flatnonzero(branch == i)
            z = design(encoded[rows], arm[rows], arms)
            weighted = z * w[rows, None]
            gram[i] = weighted.T @ z
            moment[i] = weighted.T @ reward[rows]
        return cls(
            basis=basis,
            arms=arms,
            gram=gram,
            moment=moment,
            squares=np.bincount(branch, w * reward**2, branches),
            weight=np.bincount(branch, w, branches),
            count=np.bincount(branch, minlength=branches).astype(np.float64),
        )

    def __add__(self, other: RidgeSums) -> RidgeSums:
        return self._combine(other, 1.0)

    def __sub__(self, other: RidgeSums) -> RidgeSums:
        """Without a part that was added before."""
        return self._combine(other, -1.0)

    def decay(self, factor: float) -> RidgeSums:
        """Every decision counts `factor` times as much."""
        return replace(
            self,
            gram=self.gram * factor,
            moment=self.moment * factor,
            squares=self.squares * factor,
            weight=self.weight * factor,
            count=self.count * factor,
        )

    def _combine(self, other: RidgeSums, sign: float) -> RidgeSums:
        """Raises InvalidInput where the two don't belong together."""
        if (self.basis, self.gram.shape, self.arms.names) != (other.basis, other.gram.shape, other.arms.names):
            raise InvalidInput.of("sums", "only sums of one encoder, one arm table and one reward add up")
        return replace(
            self,
            gram=self.gram + sign * other.gram,
            moment=self.moment + sign * other.moment,
            squares=self.squares + sign * other.squares,
            weight=self.weight + sign * other.weight,
            count=self.count + sign * other.count,
        )

    def solve(self, shrinkage: Shrinkage) -> RidgeFit:
        """Fit all branches.

        Raises:
            NotEnoughData: there are no decisions.
        """
        if self.weight.sum() <= 0:
            raise NotEnoughData("there are no decisions to learn from", {"decisions": 0})
        m, q = len(self.arms.actions), self.gram.shape[1]
        category = action_category(self.arms)
        everything = np.arange(1, m + 1)
        overall = self._root(everything, shrinkage.overall)
        categories, actions = np.tile(overall, (len(self.arms.categories), 1)), np.zeros((m + 1, q))
        actions[0] = self._root([0], shrinkage.overall)
        for c in range(len(self.arms.categories)):
            members = np.flatnonzero(category == c) + 1
            outside = self._root(np.setdiff1d(everything, members), shrinkage.overall)
            categories[c] = self._toward(members, outside, shrinkage.category)
            for a in members:
                parent = self._toward(members[members != a], outside, shrinkage.category)
                actions[a] = self._toward([a], parent, shrinkage.action)
        return RidgeFit(
            sums=self, shrinkage=shrinkage, overall=overall, categories=categories, actions=actions
        )

    def _root(self, branches: Iterable[int], strength: float) -> Floats:
        """(q,) slopes shrunk to zero, the level free. Without data: the level of everything there is."""
        rows = np.array(list(branches), dtype=np.int64)
        if self.weight[rows].sum() <= 0:
            level = np.zeros(self.gram.shape[1])
            level[0] = self.moment[:, 0].sum() / self.weight.sum()
            return level
        penalty = np.full(self.gram.shape[1], strength)
        penalty[0] = _JITTER
        return _solve(self.gram[rows].sum(0) + np.diag(penalty), self.moment[rows].sum(0))

    def _toward(self, branches: Iterable[int], prior: Floats, strength: float) -> Floats:
        """(q,) shrunk to `prior`, which it is where there are no data."""
        rows = np.array(list(branches), dtype=np.int64)
        if self.weight[rows].sum() <= 0:
            return prior
        A = self.gram[rows].sum(0) + strength * np.eye(len(prior))
        return _solve(A, self.moment[rows].sum(0) + strength * prior)

    def error(self, fit: RidgeFit) -> float:
        """Σ w (r − θᵀz)² of these sums under a fit, from the sums alone."""
        theta = fit.actions
        explained = np.einsum("aq,aq->a", theta, self.moment)
        quadratic = np.einsum("aq,aqr,ar->a", theta, self.gram, theta, optimize=True)
        return float(np.sum(self.squares - 2 * explained + quadratic))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RidgeFit:
    """Solved sums.

    Attributes:
        overall: (q,); categories: (c, q); actions: (m + 1, q), branch 0 `no_contact`.
    """

    sums: RidgeSums
    shrinkage: Shrinkage
    overall: Floats
    categories: Floats
    actions: Floats

    @property
    def sigma(self) -> float:
        """Standard deviation of the residual on the training sums."""
        return float(np.sqrt(max(self.sums.error(self), 0.0) / self.sums.weight.sum()))

    def stderr(self) -> Floats:
        """(k,) how much is known of each arm: the posterior standard deviation of its score.

        σ √(z̄ᵀ (A + λI)⁻¹ z̄) at the mean context of all decisions, with the arm's channel and timing.
        """
        sums, arms = self.sums, self.sums.arms
        channels, timings = len(arms.channels), len(arms.timings)
        d = sums.gram.shape[1] - 1 - channels - timings
        mean = sums.gram[:, 0, 1 : 1 + d].sum(0) / sums.weight.sum()
        z = design(np.tile(mean, (len(arms), 1)), np.arange(len(arms)), arms)
        ridge = self.shrinkage.action * np.eye(sums.gram.shape[1])
        solved = {b: np.linalg.inv(sums.gram[b] + ridge) for b in np.unique(arms.action + 1)}
        return self.sigma * np.array([np.sqrt(z[i] @ solved[b] @ z[i]) for i, b in enumerate(arms.action + 1)])

    def weights(self) -> tuple[Floats, tuple[str, ...]]:
        """W, (p + 1, d + 1), and the names of its p arm features.

        constant: `no_contact`; contact: all less that; category, action: each less its parent. Channel
        and timing are offsets of the level: those of all, and each action's less those.
        """
        arms = self.sums.arms
        d = self.sums.gram.shape[1] - 1 - len(arms.channels) - len(arms.timings)
        category = action_category(arms)
        none, overall, context = self.actions[0], self.overall, slice(0, 1 + d)
        rows: list[tuple[str, Floats]] = [("contact", (overall - none)[context])]
        rows += [(f"category={n}", (self.categories[c] - overall)[context]) for c, n in enumerate(arms.categories)]
        for a, name in enumerate(arms.actions):
            parent = self.categories[category[a]] if category[a] >= 0 else overall
            rows.append((f"action={name}", (self.actions[a + 1] - parent)[context]))
        offsets = [f"channel={n}" for n in arms.channels] + [f"timing={n}" for n in arms.timings]
        for i, offset in enumerate(offsets, start=1 + d):
            rows.append((offset, _level(overall[i], d)))
            rows += [
                (f"action={name}&{offset}", _level(self.actions[a + 1, i] - overall[i], d))
                for a, name in enumerate(arms.actions)
            ]
        return np.stack([none[context], *(row for _, row in rows)]), tuple(name for name, _ in rows)


def design(encoded: Floats, arm: Ints, arms: ArmTable) -> Floats:
    """(n, d), (n,) → z, (n, q) = [1, x, channel one-hots, timing one-hots]; the one-hots of arm 0 are 0."""
    one = np.ones((len(arm), 1))
    channel = arms.channel[arm][:, None] == np.arange(len(arms.channels))
    timing = arms.timing[arm][:, None] == np.arange(len(arms.timings))
    return np.hstack((one, encoded, channel, timing))


def action_category(arms: ArmTable) -> Ints:
    """(m,) the category of each action, read off the arm features."""
    columns = [arms.feature_names.index(f"category={name}") for name in arms.categories]
    category = np.full(len(arms.actions), -1)
    category[arms.action[1:]] = arms.features[1:][:, columns].argmax(axis=1)
    return category


def _solve(A: Floats, b: Floats) -> Floats:
    return np.linalg.solve(A, b)


def _level(value: float, d: int) -> Floats:
    row = np.zeros(d + 1)
    row[0] = value
    return row
