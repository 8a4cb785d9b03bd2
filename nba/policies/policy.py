"""What a policy is: features and eligible arms in, odds out. The draw is not its business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nba.playbook.compile import Playbook

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a policy makes of n moments and k arms.

    Attributes:
        odds: (n, k) probability of each arm; rows sum to 1, refused arms have 0.
        scores: (n, k) expected reward in currency, net of costs; 0 where the policy predicts none.
        values: (n, k) the scores after the playbook's levers: what exploration compares.
        best: (n,) the arm the policy would take if it did not explore; ties by arm index.
    """

    odds: Floats
    scores: Floats
    values: Floats
    best: Ints


class Policy(Protocol):
    """Pure and immutable: the same rows give the same odds in every process.

    A row's odds don't depend on the other rows of its batch.
    """

    @property
    def specification(self) -> str:
        """What is refreshed when it is trained again: `ridge`, `vowpal`, `boosted`, `constant`, …"""

    def choose(self, features: Floats, eligible: Bools) -> Choice:
        """(n, F) features in schema order and (n, k) eligible arms, arm 0 always, → odds."""

    def under(self, playbook: Playbook) -> Policy:
        """The same for a playbook with further arms appended, `nba.playbook.catalogue.bring`. Quick."""


class RewardModel(Protocol):
    """Expected reward of every arm, in currency, net of costs. Pure, and row by row like a policy."""

    @property
    def specification(self) -> str: ...

    def scores(self, features: Floats) -> Floats:
        """(n, F) → (n, k)."""

    def contributions(self, features: Floats, arm: Ints) -> Floats:
        """(n, F), (n,) → (n, F): what each feature adds to the chosen arm's score."""
