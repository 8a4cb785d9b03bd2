"""The arm table: every (action, channel, timing) the playbook allows, and arm 0, `no_contact`.

Arms stand in the order of the playbook, action by action, channel by channel, so that the children of
each node of the tree {no_contact, action} → channel → timing are neighbours. What a caller brings along
in a request is appended in `catalogue.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nba.playbook.schema import Catalogue, PlaybookSpec

NO_CONTACT = "no_contact"
ATTRIBUTE = "attribute="
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ArmTable:
    """k arms as columns; -1 stands for none, in row 0 alone.

    Attributes:
        actions, channels, timings: the names the index columns point into.
        categories: those that have a feature; a brought action's may have none.
        action, channel, timing: (k,) indices.
        cost: (k,) what a contact on this arm costs, in the playbook's currency.
        lever: (k,) what the business multiplies the action's gain over silence by; 1 for no contact.
        priority: (k,) of the action; 0 for no contact.
        features: (k, p) arm features φ(a), named by `feature_names`; row 0 is zero.
    """

    actions: tuple[str, ...]
    channels: tuple[str, ...]
    timings: tuple[str, ...]
    categories: tuple[str, ...]
    action: Ints
    channel: Ints
    timing: Ints
    cost: Floats
    lever: Floats
    priority: Ints
    features: Floats
    feature_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.action)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """`no_contact`, then `action/channel/timing`."""
        ends = [[f"/{channel}/{timing}" for timing in self.timings] for channel in self.channels]
        rows = zip(self.action[1:].tolist(), self.channel[1:].tolist(), self.timing[1:].tolist(), strict=True)
        return (NO_CONTACT, *(self.actions[a] + ends[c][t] for a, c, t in rows))

    @cached_property
    def index(self) -> dict[str, int]:
        return {name: arm for arm, name in enumerate(self.names)}

    def name(self, arm: int) -> str:
        return self.names[arm]

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
    actions, categories, scales = list(spec.actions.values()), category_names(spec), attribute_scales(spec)
    action, channel, timing = _product(spec)
    names = _feature_names(spec, categories, scales)
    features = np.zeros((len(action), len(names)))
    attributes = [[a.attributes.get(name, 0.0) / scale for name, scale in scales.items()] for a in actions]
    write_features(
        features,
        action=action,
        category=np.array([*(categories.index(a.category) for a in actions), -1])[action],
        channel=channel,
        timing=timing,
        attributes=np.array([*attributes, [0.0] * len(scales)], dtype=np.float64)[action],
        sizes=(len(actions), len(categories), len(spec.channels), len(spec.timings)),
    )
    return ArmTable(
        actions=tuple(spec.actions),
        channels=tuple(spec.channels),
        timings=tuple(spec.timings),
        categories=categories,
        action=action,
        channel=channel,
        timing=timing,
        cost=_each([a.cost for a in actions])[action]
        + _each([c.cost for c in spec.channels.values()])[channel],
        lever=_each([a.lever for a in actions], last=1.0)[action],
        priority=np.array([*(a.priority for a in actions), 0], dtype=np.int64)[action],
        features=features,
        feature_names=names,
    )


def category_names(spec: PlaybookSpec) -> tuple[str, ...]:
    """The actions' categories, then the catalogue's where the playbook says anything of it."""
    names = dict.fromkeys(action.category for action in spec.actions.values())
    catalogue = spec.catalogue
    if catalogue != Catalogue() or any(cap.category == catalogue.category for cap in spec.contact.caps):
        names[catalogue.category] = None
    return tuple(names)


def attribute_scales(spec: PlaybookSpec) -> dict[str, float]:
    """Attribute → what its values are divided by: its largest size, among the actions or to be expected."""
    scales = dict(spec.catalogue.attributes)
    for action in spec.actions.values():
        for name, value in action.attributes.items():
            scales[name] = max(scales.get(name, 0.0), abs(value))
    return {name: scales[name] or 1.0 for name in sorted(scales)}


def write_features(
    features: Floats,
    *,
    action: Ints,
    category: Ints,
    channel: Ints,
    timing: Ints,
    attributes: Floats,
    sizes: tuple[int, int, int, int],
) -> None:
    """Fill (k, p) zeros with φ: whether it is a contact, the one-hots of action, category, channel, timing
    and of the last two as a pair, then the attributes. Columns as `feature_names` has them.

    Args:
        action, category, channel, timing: (k,) indices; -1 has no one-hot.
        attributes: (k, q), scaled.
        sizes: how many actions, categories, channels and timings have one-hots.
    """
    pair = np.where(channel < 0, -1, channel * sizes[3] + timing)
    starts = np.cumsum((1, *sizes, sizes[2] * sizes[3]))
    features[:, 0] = channel >= 0
    for start, index in zip(starts, (action, category, channel, timing, pair), strict=False):
        rows = np.flatnonzero(index >= 0)
        features[rows, start + index[rows]] = 1.0
    features[:, starts[-1] :] = attributes


def _product(spec: PlaybookSpec) -> Ints:
    """(3, k) action, channel and timing of each arm."""
    channels = {name: i for i, name in enumerate(spec.channels)}
    timings = {name: i for i, name in enumerate(spec.timings)}
    rows = [(-1, -1, -1)]
    for a, action in enumerate(spec.actions.values()):
        own = sorted(timings[name] for name in action.timings)
        rows += [(a, c, t) for c in sorted(channels[name] for name in action.channels) for t in own]
    return np.array(rows, dtype=np.int64).T.copy()


def _each(values: Iterable[float], last: float = 0.0) -> Floats:
    """A column by action, with the value of no contact at its end, where -1 points."""
    return np.array([*values, last], dtype=np.float64)


def _feature_names(
    spec: PlaybookSpec, categories: Iterable[str], attributes: Iterable[str]
) -> tuple[str, ...]:
    return (
        "contact",
        *(f"action={name}" for name in spec.actions),
        *(f"category={name}" for name in categories),
        *(f"channel={name}" for name in spec.channels),
        *(f"timing={name}" for name in spec.timings),
        *(f"channel={c}&timing={t}" for c in spec.channels for t in spec.timings),
        *(f"{ATTRIBUTE}{name}" for name in attributes),
    )
