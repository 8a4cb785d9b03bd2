"""How ridge reads an arm table: the branch that each arm belongs to, and its columns of the design."""

from __future__ import annotations

import numpy as np

from nba.playbook.arms import ATTRIBUTE, ArmTable
from nba.policies.kin import action_of, category_of, own_actions
from nba.policies.policy import Floats, Ints


def design(encoded: Floats, arm: Ints, arms: ArmTable) -> Floats:
    """(n, d), (n,) → z, (n, q) = [1, x, channel one-hots, timing one-hots, attributes].

    For arm 0 what comes after x is 0.
    """
    one = np.ones((len(arm), 1))
    channel = arms.channel[arm][:, None] == np.arange(len(arms.channels))
    timing = arms.timing[arm][:, None] == np.arange(len(arms.timings))
    return np.hstack((one, encoded, channel, timing, arms.features[arm][:, attributes(arms)]))


def branch_count(arms: ArmTable) -> int:
    """How many branches the sums of an arm table have."""
    return 1 + own_actions(arms) + len(arms.categories) + 1


def branches(arms: ArmTable) -> Ints:
    """(k,) the branch that speaks for each arm."""
    action, category = action_of(arms), category_of(arms)
    m = own_actions(arms)
    brought = np.where(category >= 0, 1 + m + category, branch_count(arms) - 1)
    return np.where(arms.action < 0, 0, np.where(action >= 0, 1 + action, brought))


def category_of_action(arms: ArmTable) -> Ints:
    """(m,) the category of each of the playbook's own actions."""
    action, category = action_of(arms), category_of(arms)
    found = np.zeros(own_actions(arms), dtype=np.int64)
    found[action[action >= 0]] = category[action >= 0]
    return found


def attributes(arms: ArmTable) -> list[int]:
    """The columns of the arm features that are attributes."""
    return [i for i, name in enumerate(arms.feature_names) if name.startswith(ATTRIBUTE)]


def offset_count(arms: ArmTable) -> int:
    """How many columns of z are about the arm: channels, timings, attributes."""
    return len(arms.channels) + len(arms.timings) + len(attributes(arms))
