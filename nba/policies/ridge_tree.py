"""The least squares of a tree of priors, solved in one pass up and one down.

    Σ over nodes of  Σᵢ w (r − zᵀθ)² + ‖θ − θ_parent‖²_Λ ,   the root's parent being 0

What a node tells its parent is Λ(A + Λ)⁻¹A and Λ(A + Λ)⁻¹b, with A and b its own data and what its
children tell it. On the way down θ = (A + Λ)⁻¹(b + Λ θ_parent), which is also the mean of θ given its
parent, with covariance σ²(A + Λ)⁻¹: so drawing each node given its drawn parent draws from the joint
posterior. Knows no arms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri

from nba.policies.policy import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A node, what is below it included: (A + Λ)⁻¹, b and the diagonal of Λ, which holds it to its parent."""

    inverse: Floats
    moment: Floats
    penalty: Floats

    @classmethod
    def of(cls, gram: Floats, moment: Floats, penalty: Floats, children: Sequence[Node] = ()) -> Node:
        """(q, q) and (q,) own sums, (q,) penalty."""
        gram, moment = gram + np.diag(penalty), moment.copy()
        for child in children:
            # Λ (A + Λ)⁻¹ A, which is Λ − Λ (A + Λ)⁻¹ Λ.
            gram += np.diag(child.penalty) - np.outer(child.penalty, child.penalty) * child.inverse
            moment += child.penalty * (child.inverse @ child.moment)
        return cls(inverse_of(gram), moment, penalty)

    def given(self, prior: Floats) -> Floats:
        """(q,) the coefficients, the parent's being `prior`."""
        solved: Floats = self.inverse @ (self.moment + self.penalty * prior)
        return solved

    def around(self, prior: Floats, noise: Floats) -> Floats:
        """(h, q) deviations of the parent from its mean, (h, q) standard normals → the node's, for σ = 1."""
        root = np.linalg.cholesky(self.inverse)
        return (prior * self.penalty) @ self.inverse + noise @ root.T


@dataclass(frozen=True, slots=True, eq=False)
class Coefficients:
    """Of every node, with the same leading axes: `overall` (…, q), `categories` (…, c, q), `actions`
    (…, m + 1, q), action 0 being `no_contact`."""

    overall: Floats
    categories: Floats
    actions: Floats


@dataclass(frozen=True, slots=True, eq=False)
class PriorTree:
    """all → category → action, and all → `no_contact`.

    Attributes:
        category: (m,) the category of each action.
    """

    overall: Node
    categories: Sequence[Node]
    silence: Node
    actions: Sequence[Node]
    category: Ints

    def solve(self) -> Coefficients:
        """The minimum."""
        return self._down(np.zeros(len(self.overall.penalty)), lambda node, prior: node.given(prior))

    def deviations(self, count: int, rng: np.random.Generator) -> Coefficients:
        """`count` draws of what the posterior deviates from its mean by, for σ = 1."""
        shape = (count, len(self.overall.penalty))
        return self._down(np.zeros(shape), lambda node, prior: node.around(prior, rng.normal(size=shape)))

    def _down(self, prior: Floats, step: Callable[[Node, Floats], Floats]) -> Coefficients:
        overall = step(self.overall, prior)
        categories = [step(node, overall) for node in self.categories]
        actions = [step(self.silence, overall)]
        actions += [step(node, categories[c]) for node, c in zip(self.actions, self.category, strict=True)]
        return Coefficients(overall, np.stack(categories, axis=-2), np.stack(actions, axis=-2))


def inverse_of(matrix: Floats) -> Floats:
    """Of a symmetric positive definite matrix, by Cholesky; of one that is barely so, by LU."""
    factor, failed = dpotrf(matrix, lower=1)
    if failed:
        return np.linalg.inv(matrix).astype(np.float64)
    half, _ = dpotri(factor, lower=1)
    inverse: Floats = np.tril(half) + np.tril(half, -1).T
    return inverse
