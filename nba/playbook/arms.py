"""The arm table: every (action, channel, timing) the playbook allows, and arm 0, `no_contact`.

Arms stand in the order of the playbook, action by action, channel by channel, so that the children of
each node of the tree {no_contact, action} → channel → timing are neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nba.playbook.schema import Action, PlaybookSpec

NO_CONTACT = "no_contact"
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ArmTable:
    """k arms as columns; -1 stands for none, in row 0 alone.

    Attributes:
        actions, channels, timings: the names the index columns point into.
        action, channel, timing: (k,) indices.
        cost: (k,) what a contact on this arm costs, in the playbook's currency.
        features: (k, p) arm features φ(a), named by `feature_names`; row 0 is zero.
    """

    actions: tuple[str, ...]
    channels: tuple[str, ...]
    timings: tuple[str, ...]
    categories: tuple[str, ...]
    action: Ints
    channel: Ints
    timing: Ints
    cost: NDArray[np.float64]
    features: NDArray[np.float64]
    feature_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.action)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """`no_contact`, then `action/channel/timing`."""
        return tuple(self.name(arm) for arm in range(len(self)))

    @cached_property
    def index(self) -> dict[str, int]:
        return {name: arm for arm, name in enumerate(self.names)}

    def name(self, arm: int) -> str:
        if arm == 0:
            return NO_CONTACT
        action, channel, timing = self.action[arm], self.channel[arm], self.timing[arm]
        return f"{self.actions[action]}/{self.channels[channel]}/{self.timings[timing]}"

    def find(self, action: str, channel: str | None = None, timing: str | None = None) -> int:
        """The arm's index. Raises KeyError where the playbook has no such arm."""
        return self.index[NO_CONTACT if action == NO_CONTACT else f"{action}/{channel}/{timing}"]

    @cached_property
    def action_starts(self) -> Ints:
        """First arm of each action in the table; `no_contact` is the first."""
        return np.flatnonzero(np.diff(self.action, prepend=-2)).astype(np.int64)

    @cached_property
    def channel_starts(self) -> Ints:
        """First arm of each (action, channel)."""
        pair = self.action * (len(self.channels) + 1) + self.channel
        return np.flatnonzero(np.diff(pair, prepend=pair[0] - 1)).astype(np.int64)


def arm_table(spec: PlaybookSpec) -> ArmTable:
    """The product of each action with its own channels and timings, in playbook order."""
    actions, channels, timings = tuple(spec.actions), tuple(spec.channels), tuple(spec.timings)
    rows = [(-1, -1, -1)]
    for a, name in enumerate(actions):
        action = spec.actions[name]
        rows += [
            (a, channels.index(c), timings.index(t))
            for c in sorted(set(action.channels), key=channels.index)
            for t in sorted(set(action.timings), key=timings.index)
        ]
    table = np.array(rows, dtype=np.int64)
    categories = tuple(dict.fromkeys(action.category for action in spec.actions.values()))
    features, names = _features(spec, table, categories)
    return ArmTable(
        actions=actions,
        channels=channels,
        timings=timings,
        categories=categories,
        action=table[:, 0],
        channel=table[:, 1],
        timing=table[:, 2],
        cost=_costs(spec, table),
        features=features,
        feature_names=names,
    )


def _costs(spec: PlaybookSpec, table: Ints) -> NDArray[np.float64]:
    actions, channels = list(spec.actions.values()), list(spec.channels.values())
    return np.array([0.0 if a < 0 else actions[a].cost + channels[c].cost for a, c, _ in table])


def _features(
    spec: PlaybookSpec, table: Ints, categories: tuple[str, ...]
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    attributes = sorted({name for action in spec.actions.values() for name in action.attributes})
    scale = {n: max(abs(a.attributes.get(n, 0.0)) for a in spec.actions.values()) or 1.0 for n in attributes}

    def row(action: Action, name: str, channel: str, timing: str) -> dict[str, float]:
        values = {
            "contact": 1.0,
            f"action={name}": 1.0,
            f"category={action.category}": 1.0,
            f"channel={channel}": 1.0,
            f"timing={timing}": 1.0,
            f"channel={channel}&timing={timing}": 1.0,
        }
        return values | {f"attribute={n}": action.attributes.get(n, 0.0) / scale[n] for n in attributes}

    names = ["contact"]
    names += [f"action={n}" for n in spec.actions] + [f"category={c}" for c in categories]
    names += [f"channel={c}" for c in spec.channels] + [f"timing={t}" for t in spec.timings]
    names += [f"channel={c}&timing={t}" for c in spec.channels for t in spec.timings]
    names += [f"attribute={n}" for n in attributes]
    position = {name: i for i, name in enumerate(names)}
    matrix = np.zeros((len(table), len(names)))
    actions, channels, timings = list(spec.actions), list(spec.channels), list(spec.timings)
    for arm, (a, c, t) in enumerate(table[1:], start=1):
        for name, value in row(spec.actions[actions[a]], actions[a], channels[c], timings[t]).items():
            matrix[arm, position[name]] = value
    return matrix, tuple(names)
