"""Which of the playbook's actions and categories an arm belongs to, read off its arm features.

An action that a caller brought along in a request has no arm feature of its own, and its category has one
only where the playbook speaks of it. What such an arm teaches is for its category, or for all.
"""

from __future__ import annotations

import numpy as np

from nba.playbook.arms import ArmTable
from nba.policies.policy import Ints

_ACTION, _CATEGORY = "action=", "category="


def own_actions(arms: ArmTable) -> int:
    """How many actions have an arm feature: the playbook's own, which come first in `arms.actions`."""
    return len(_columns(arms, _ACTION))


def action_of(arms: ArmTable) -> Ints:
    """(k,) the action of each arm; -1 where it has no arm feature."""
    return _hot(arms, _ACTION)


def category_of(arms: ArmTable) -> Ints:
    """(k,) the category of each arm, an index into `arms.categories`; -1 where it has no arm feature."""
    return _hot(arms, _CATEGORY)


def _columns(arms: ArmTable, kind: str) -> list[int]:
    return [i for i, name in enumerate(arms.feature_names) if name.startswith(kind)]


def _hot(arms: ArmTable, kind: str) -> Ints:
    """(k,) which of the one-hots of a kind is set; they stand in the order of the names."""
    hots = arms.features[:, _columns(arms, kind)]
    return np.where(hots.any(axis=1), hots.argmax(axis=1), -1).astype(np.int64)
