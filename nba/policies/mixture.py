"""A mixture of policies: with odds wᵢ the i-th decides. Its odds are Σ wᵢ·oddsᵢ, exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nba.errors import InvalidInput
from nba.playbook.compile import Playbook
from nba.policies.explore import Tree
from nba.policies.policy import Bools, Choice, Floats, Policy
from nba.policies.served import LearnedModel, ServedPolicy

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MixturePolicy:
    """Scores, values and the best arm are those of the first learned component, else of the first.

    Attributes:
        weights: one a component, above 0; they sum to 1.
    """

    components: tuple[Policy, ...]
    weights: tuple[float, ...]
    tree: Tree
    floor: float
    specification: str = "mixture"

    @classmethod
    def of(cls, playbook: Playbook, components: Sequence[Policy], weights: Sequence[float]) -> MixturePolicy:
        """Raises InvalidInput: there is not one weight above 0 for each component, or they don't sum to 1."""
        given = np.array(weights, dtype=np.float64)
        if len(given) != len(components) or len(given) == 0 or not np.all(given > 0):
            raise InvalidInput.of("weights", "is one number above 0 for each component")
        if not abs(given.sum() - 1.0) <= _TOLERANCE:
            raise InvalidInput.of("weights", f"sum to 1, not {given.sum():g}")
        return cls(
            components=tuple(components),
            weights=tuple(given.tolist()),
            tree=Tree.of(playbook.arms),
            floor=playbook.spec.exploration.floor,
        )

    @property
    def model(self) -> LearnedModel:
        """What the scores come from. Raises AttributeError where no component is learned."""
        told = self.components[self._told]
        if isinstance(told, ServedPolicy | MixturePolicy):
            return told.model
        raise AttributeError("no component of the mixture has a model")

    @property
    def _told(self) -> int:
        """The first learned component, else the first."""
        return next((i for i, policy in enumerate(self.components) if hasattr(policy, "model")), 0)

    def choose(self, features: Floats, eligible: Bools) -> Choice:
        choices = [policy.choose(features, eligible) for policy in self.components]
        odds = np.zeros(eligible.shape)
        for weight, choice in zip(self.weights, choices, strict=True):
            odds += weight * choice.odds
        # every component keeps the floor; their sum may miss it by a last bit
        np.maximum(odds, self.floor * self.tree.uniform(eligible), out=odds)
        return replace(choices[self._told], odds=odds)

    def under(self, playbook: Playbook) -> MixturePolicy:
        components = tuple(policy.under(playbook) for policy in self.components)
        return replace(self, components=components, tree=Tree.of(playbook.arms))
