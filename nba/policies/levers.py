"""The playbook's levers: what the business multiplies an action's gain over silence by.

    v = s₀ + L·(s − s₀) where s > s₀,   s₀ + (s − s₀)/L where s < s₀

with s₀ the score of `no_contact`: a larger lever never makes an arm look worse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nba.policies.policy import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Levers:
    """(k,) levers and what divides a loss."""

    up: Floats
    down: Floats

    @classmethod
    def of(cls, lever: Floats | None) -> Levers | None:
        """None where all levers are 1: then values are scores, to the bit."""
        return None if lever is None or np.all(lever == 1.0) else cls(lever, 1.0 / lever)

    def values(self, scores: Floats) -> Floats:
        """(…, k) scores → values, likewise."""
        silence = scores[..., :1]
        gain = scores - silence
        gain *= np.where(gain > 0, self.up, self.down)
        gain += silence
        return gain
