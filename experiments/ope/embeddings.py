"""Arms by what they look like, for `mips`: joint arms (action × channel × timing) that share a part.

With a thousand joint arms each is logged a few times; by action, or by action and channel, there are enough
rows of each. The price is the assumption behind MIPS: within a category the reward doesn't depend on the
rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from experiments.ope.batch import Ints
from nba.playbook.arms import ArmTable


def by_action(arms: ArmTable) -> Ints:
    """(k,) the action: channel and timing are taken not to matter. Silence is a category of its own."""
    return arms.action


def by_action_and_channel(arms: ArmTable) -> Ints:
    """(k, 2) action and channel: the timing is taken not to matter."""
    return np.column_stack([arms.action, arms.channel])


EMBEDDINGS: Mapping[str, Callable[[ArmTable], Ints]] = {
    "action": by_action,
    "action+channel": by_action_and_channel,
}
