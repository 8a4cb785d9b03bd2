"""Ridge regression from sums, with priors shared up the tree action → category → all.

For each action a over z = [1, x, channel one-hots, timing one-hots, attributes], and for `no_contact` over
[1, x]:

    Aₐ = Σ w z zᵀ,   bₐ = Σ w r z,   Σ w r²,   Σ w,   n

An action that a caller brought along has no branch of its own: its sums are its category's own, or, where
the playbook does not have that either, those of all.

and of all coefficients at once the minimum of

    Σₐ Σᵢ w (r − zᵀθₐ)² + ‖θₐ − θ_category‖²_Λ + ‖θ_category − θ_all‖²_Λ + ‖θ_all‖²_Λ

where levels are held less than slopes and the level of all not at all. The tree is solved exactly, in
`ridge_tree.py`, so each decision counts once. (Shrinking a child to a parent fitted on its siblings alone
also counts once, but orders the arms the wrong way round when the shrinkage is strong: the best action
then has the worst parent.)

`no_contact` is a branch of its own beside the categories: what a customer is worth anyway, the slopes, is
shared with the actions, its level is its own. The sums are exact and additive: parts add up to the whole,
`decay` forgets. They belong to one encoder, one list of actions and one version of the reward, which
`basis` names. Knows no files and no exploration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nba.errors import InvalidInput, NotEnoughData
from nba.playbook.arms import ArmTable
from nba.policies.branches import branch_count, branches, category_of_action, design, offset_count
from nba.policies.kin import own_actions
from nba.policies.policy import Floats, Ints
from nba.policies.ridge_matrix import arm_features, stacked
from nba.policies.ridge_tree import Coefficients, Node, PriorTree, inverse_of

_FREE = 1e-6  # holds what is free: enough to solve, too little to move it


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrinkage:
    """How many decisions a prior is worth: of zero slopes for all, of its parent for the others.

    `level` is that of levels (the intercept, channels, timings, attributes): few, and they matter most.
    """

    overall: float = 10.0
    category: float = 300.0
    action: float = 300.0
    level: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RidgeSums:
    """Sums over decisions, by branch: `no_contact`, the m actions of the playbook, then what brought actions
    taught of the c categories and of all.

    Attributes:
        basis: what the sums belong to; sums add only where it is the same.
        arms: the arm table the branches follow.
        gram: (b, q, q) Σ w z zᵀ, b = 1 + m + c + 1, q = 1 + d + channels + timings + attributes.
        moment: (b, q) Σ w r z.
        squares, weight, count: (b,) Σ w r², Σ w, and how many (fading like the rest under `decay`).
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
        b, q = branch_count(arms), 1 + encoded.shape[1] + offset_count(arms)
        gram, moment = np.zeros((b, q, q)), np.zeros((b, q))
        branch = branches(arms)[arm]
        for i in np.unique(branch):
            rows = np.flatnonzero(branch == i)
            z, root = design(encoded[rows], arm[rows], arms), np.sqrt(w[rows])
            if weight is not None:
                z *= root[:, None]
            gram[i] = z.T @ z  # of one array with itself, which BLAS does in half the time
            moment[i] = z.T @ (root * reward[rows])
        return cls(
            basis=basis,
            arms=arms,
            gram=gram,
            moment=moment,
            squares=np.bincount(branch, w * reward**2, b).astype(np.float64),
            weight=np.bincount(branch, w, b).astype(np.float64),
            count=np.bincount(branch, minlength=b).astype(np.float64),
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
        return RidgeFit(sums=self, shrinkage=shrinkage, coefficients=self.tree(shrinkage, free=_FREE).solve())

    def tree(self, shrinkage: Shrinkage, free: float) -> PriorTree:
        """The least squares to solve; `free` holds what nothing should hold."""
        m, c = own_actions(self.arms), len(self.arms.categories)
        own = self.penalty(shrinkage.action, shrinkage.level)
        held = self.penalty(shrinkage.category, shrinkage.level)
        silence = self._node(0, self.penalty(shrinkage.action, free))
        actions = [self._node(i, own) for i in range(1, m + 1)]
        category = category_of_action(self.arms)
        categories = [
            self._node(1 + m + p, held, [actions[i] for i in np.flatnonzero(category == p)]) for p in range(c)
        ]
        overall = self._node(-1, self.penalty(shrinkage.overall, free**2), [silence, *categories])
        return PriorTree(overall, categories, silence, actions, category)

    def _node(self, branch: int, penalty: Floats, children: Sequence[Node] = ()) -> Node:
        return Node.of(self.gram[branch], self.moment[branch], penalty, children)

    def penalty(self, strength: float, level: float) -> Floats:
        """(q,) what each coefficient's distance to its prior costs."""
        penalty = np.full(self.gram.shape[1], strength)
        penalty[0] = min(level, strength)
        penalty[len(penalty) - offset_count(self.arms) :] = min(
            max(level, 1.0), strength
        )  # arm 0 has none: not free
        return penalty

    def error(self, fit: RidgeFit) -> float:
        """Σ w (r − θᵀz)² of these sums under a fit, from the sums alone."""
        theta = fit.by_branch
        explained = np.einsum("aq,aq->a", theta, self.moment)
        quadratic = np.einsum("aq,aqr,ar->a", theta, self.gram, theta, optimize=True)
        return float(np.sum(self.squares - 2 * explained + quadratic))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RidgeFit:
    """Solved sums.

    Attributes:
        coefficients: those of all (q,), of the categories (c, q), and of `no_contact` and the actions
            (m + 1, q).
    """

    sums: RidgeSums
    shrinkage: Shrinkage
    coefficients: Coefficients

    @property
    def by_branch(self) -> Floats:
        """(b, q) the coefficients of each branch of the sums."""
        its = self.coefficients
        return np.concatenate((its.actions, its.categories, its.overall[None]))

    @property
    def sigma(self) -> float:
        """Standard deviation of the residual on the training sums."""
        return float(np.sqrt(max(self.sums.error(self), 0.0) / self.sums.weight.sum()))

    def stderr(self) -> Floats:
        """(k,) how much is known of each arm: the posterior standard deviation of its score.

        σ √(z̄ᵀ (A + Λ)⁻¹ z̄) at the mean context of all decisions, with the arm's channel and timing.
        """
        sums, arms = self.sums, self.sums.arms
        d = sums.gram.shape[1] - 1 - offset_count(arms)
        mean = sums.gram[:, 0, 1 : 1 + d].sum(0) / sums.weight.sum()
        z = design(np.tile(mean, (len(arms), 1)), np.arange(len(arms)), arms)
        ridge = np.diag(sums.penalty(self.shrinkage.action, self.shrinkage.level))
        branch = branches(arms)
        solved = {b: inverse_of(sums.gram[b] + ridge) for b in np.unique(branch)}
        return self.sigma * np.array([np.sqrt(z[i] @ solved[b] @ z[i]) for i, b in enumerate(branch)])

    def draws(self, count: int, seed: int) -> Floats:
        """(count, p + 1, d + 1) W drawn from the posterior: N(θ, σ²A⁻¹) of all coefficients of the tree.

        What is free in the fit is held like one decision here, or an arm that was never tried would be
        drawn anywhere.
        """
        tree = self.sums.tree(self.shrinkage, free=1.0)
        apart, mean = tree.deviations(count, np.random.default_rng(seed)), self.coefficients
        drawn = Coefficients(
            mean.overall + self.sigma * apart.overall,
            mean.categories + self.sigma * apart.categories,
            mean.actions + self.sigma * apart.actions,
        )
        return stacked(drawn, self.sums.arms)

    def weights(self) -> tuple[Floats, tuple[str, ...]]:
        """W, (p + 1, d + 1), and the names of its p arm features.

        constant: `no_contact`; contact: all less that; category, action: each less its parent. Channel,
        timing and attributes are offsets of the level: those of all, and likewise each less its parent.
        """
        return stacked(self.coefficients, self.sums.arms), arm_features(self.sums.arms)
