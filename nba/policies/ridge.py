"""Ridge regression from sums, with priors shared up the tree action → category → all.

For each action a over z = [1, x, channel one-hots, timing one-hots], and for `no_contact` over [1, x]:

    Aₐ = Σ w z zᵀ,   bₐ = Σ w r z,   Σ w r²,   Σ w,   n

and of all coefficients at once the minimum of

    Σₐ Σᵢ w (r − zᵀθₐ)² + ‖θₐ − θ_category‖²_Λ + ‖θ_category − θ_all‖²_Λ + ‖θ_all‖²_Λ

where levels are held less than slopes and the level of all not at all. A tree is solved exactly in one pass
up and one down: what a child tells its parent is Λ(A + Λ)⁻¹A and Λ(A + Λ)⁻¹b. So each decision counts
once. (Shrinking a child to a parent fitted on its siblings alone also counts once, but orders the arms
the wrong way round when the shrinkage is strong: the best action then has the worst parent.)

`no_contact` is a branch of its own beside the categories: what a customer is worth anyway, the slopes, is
shared with the actions, its level is its own. The sums are exact and additive: parts add up to the whole,
`decay` forgets. They belong to one encoder, one list of actions and one version of the reward, which
`basis` names. Knows no files and no exploration.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri

from nba.errors import InvalidInput, NotEnoughData
from nba.playbook.arms import ArmTable
from nba.policies.policy import Floats, Ints

_FREE = 1e-6  # holds what is free: enough to solve, too little to move it


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrinkage:
    """How many decisions a prior is worth: of zero slopes for all, of its parent for the others.

    `level` is that of levels (the intercept, channels, timings): there are few, and they matter most.
    """

    overall: float = 10.0
    category: float = 300.0
    action: float = 300.0
    level: float = 10.0


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
            squares=np.bincount(branch, w * reward**2, branches).astype(np.float64),
            weight=np.bincount(branch, w, branches).astype(np.float64),
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
        if (self.basis, self.gram.shape, self.arms.names) != (
            other.basis,
            other.gram.shape,
            other.arms.names,
        ):
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
        m, c = len(self.arms.actions), len(self.arms.categories)
        own = self._penalty(shrinkage.action, shrinkage.level)
        branches = [_Node.of(self.gram[0], self.moment[0], self._penalty(shrinkage.action, _FREE))]
        branches += [_Node.of(self.gram[i], self.moment[i], own) for i in range(1, m + 1)]
        held = self._penalty(shrinkage.category, shrinkage.level)
        category = action_category(self.arms)
        parents = [
            _Node.above([branches[i + 1] for i in np.flatnonzero(category == p)], held) for p in range(c)
        ]
        root = _Node.above([branches[0], *parents], self._penalty(shrinkage.overall, _FREE**2))
        overall = root.given(np.zeros(len(own)))
        categories = np.stack([parent.given(overall) for parent in parents])
        above = [overall, *(categories[p] if p >= 0 else overall for p in category)]
        actions = np.stack([node.given(prior) for node, prior in zip(branches, above, strict=True)])
        return RidgeFit(
            sums=self, shrinkage=shrinkage, overall=overall, categories=categories, actions=actions
        )

    def _penalty(self, strength: float, level: float) -> Floats:
        """(q,) what each coefficient's distance to its prior costs."""
        penalty = np.full(self.gram.shape[1], strength)
        penalty[0] = min(level, strength)
        offsets = len(self.arms.channels) + len(self.arms.timings)
        penalty[len(penalty) - offsets :] = min(max(level, 1.0), strength)  # arm 0 has none: not free
        return penalty

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

        σ √(z̄ᵀ (A + Λ)⁻¹ z̄) at the mean context of all decisions, with the arm's channel and timing.
        """
        sums, arms = self.sums, self.sums.arms
        channels, timings = len(arms.channels), len(arms.timings)
        d = sums.gram.shape[1] - 1 - channels - timings
        mean = sums.gram[:, 0, 1 : 1 + d].sum(0) / sums.weight.sum()
        z = design(np.tile(mean, (len(arms), 1)), np.arange(len(arms)), arms)
        ridge = np.diag(sums._penalty(self.shrinkage.action, self.shrinkage.level))
        solved = {b: _inverse(sums.gram[b] + ridge) for b in np.unique(arms.action + 1)}
        return self.sigma * np.array(
            [np.sqrt(z[i] @ solved[b] @ z[i]) for i, b in enumerate(arms.action + 1)]
        )

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
        rows += [
            (f"category={n}", (self.categories[c] - overall)[context]) for c, n in enumerate(arms.categories)
        ]
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


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """What a node of the tree says to the one above: its data and its children's, and how it is held."""

    inverse: Floats
    moment: Floats
    penalty: Floats

    @classmethod
    def of(cls, gram: Floats, moment: Floats, penalty: Floats) -> _Node:
        return cls(_inverse(gram + np.diag(penalty)), moment, penalty)

    @classmethod
    def above(cls, children: list[_Node], penalty: Floats) -> _Node:
        """A node without data of its own."""
        gram, moment = np.zeros((len(penalty), len(penalty))), np.zeros(len(penalty))
        for child in children:
            # Λ (A + Λ)⁻¹ A, which is Λ − Λ (A + Λ)⁻¹ Λ.
            gram += np.diag(child.penalty) - np.outer(child.penalty, child.penalty) * child.inverse
            moment += child.penalty * (child.inverse @ child.moment)
        return cls.of(gram, moment, penalty)

    def given(self, prior: Floats) -> Floats:
        """(q,) the coefficients, its parent's being `prior`."""
        solved: Floats = self.inverse @ (self.moment + self.penalty * prior)
        return solved


def _inverse(matrix: Floats) -> Floats:
    """Of a symmetric positive definite matrix, by Cholesky; of one that is barely so, by LU."""
    factor, failed = dpotrf(matrix, lower=1)
    if failed:
        return np.linalg.inv(matrix).astype(np.float64)
    half, _ = dpotri(factor, lower=1)
    inverse: Floats = np.tril(half) + np.tril(half, -1).T
    return inverse


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


def _level(value: float, d: int) -> Floats:
    row = np.zeros(d + 1)
    row[0] = value
    return row
