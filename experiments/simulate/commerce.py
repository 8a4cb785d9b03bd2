"""The world's commercial setting, read from its playbook into arrays: arms, costs, what outcomes are worth.

It reads `world.yaml` for itself and on purpose knows nothing of the engine's playbook loader: the world
that judges the engine must not share its code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from nba.errors import InvalidPlaybook

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PLAYBOOK = Path(__file__).with_name("world.yaml")
NO_CONTACT = 0


class Arm(NamedTuple):
    """One (action, channel, timing); channel and timing of `no_contact` are None."""

    action: str
    channel: str | None
    timing: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Commerce:
    """What can be done and what it costs and earns, k arms, a actions.

    Attributes:
        timezone: in which the timings are meant.
        arms: k arms in the playbook's order; arm 0 is `no_contact`.
        actions, channels, timings, categories: the names that the index arrays point into.
        action, channel, timing: (k,) index of each arm; 0 for arm 0, where it means nothing.
        category: (a,) index of each action's category.
        discount: (a,) fraction off the basket that the action promises.
        cost: (k,) of one delivered contact, in the currency.
        windows: per timing (from, to) in hours of the customer's day, or None when open at any hour.
        opened, unsubscribed: what one such outcome is worth.
        window_days: length of the reward window.
    """

    timezone: str
    arms: tuple[Arm, ...]
    actions: tuple[str, ...]
    channels: tuple[str, ...]
    timings: tuple[str, ...]
    categories: tuple[str, ...]
    action: Ints
    channel: Ints
    timing: Ints
    category: Ints
    discount: Floats
    cost: Floats
    windows: tuple[tuple[float, float] | None, ...]
    opened: float
    unsubscribed: float
    window_days: int

    def arm(self, action: str, channel: str | None = None, timing: str | None = None) -> int:
        """The index of an arm. Raises InvalidPlaybook where the playbook has no such arm."""
        wanted = Arm(action, channel, timing)
        if wanted not in self.arms:
            raise InvalidPlaybook.of("actions", f"no arm {wanted}", source=str(PLAYBOOK))
        return self.arms.index(wanted)


def read_commerce(path: Path = PLAYBOOK) -> Commerce:
    """Read the playbook at `path`. Raises InvalidPlaybook naming a key that is missing."""
    book = yaml.safe_load(path.read_text())
    try:
        return _commerce(book)
    except KeyError as missing:
        raise InvalidPlaybook.of(str(missing.args[0]), "is missing", source=str(path)) from missing


def _commerce(book: Mapping[str, Any]) -> Commerce:
    actions, channels, timings = book["actions"], book["channels"], book["timings"]
    contacts = [Arm(a, c, t) for a, it in actions.items() for c in it["channels"] for t in it["timings"]]
    names, channel_names, timing_names = tuple(actions), tuple(channels), tuple(timings)
    categories = tuple(dict.fromkeys(it["category"] for it in actions.values()))
    cost = [actions[a]["cost"] + channels[c]["cost"] for a, c, _ in contacts]
    outcomes = book["objectives"]["outcomes"]
    return Commerce(
        timezone=book["timezone"],
        arms=(Arm("no_contact", None, None), *contacts),
        actions=names,
        channels=channel_names,
        timings=timing_names,
        categories=categories,
        action=np.array([0] + [names.index(arm.action) for arm in contacts]),
        channel=np.array([0] + [channel_names.index(str(arm.channel)) for arm in contacts]),
        timing=np.array([0] + [timing_names.index(str(arm.timing)) for arm in contacts]),
        category=np.array([categories.index(it["category"]) for it in actions.values()]),
        discount=np.array([it["attributes"]["discount"] / 100 for it in actions.values()]),
        cost=np.array([0.0, *cost]),
        windows=tuple(_hours(timing) for timing in timings.values()),
        opened=float(outcomes["opened"]["value"]),
        unsubscribed=float(outcomes["unsubscribed"]["value"]),
        window_days=int(str(book["objectives"]["window"]).removesuffix("d")),
    )


def _hours(timing: Mapping[str, str]) -> tuple[float, float] | None:
    if not timing:
        return None
    start, end = (int(timing[edge][:2]) + int(timing[edge][3:]) / 60 for edge in ("from", "to"))
    return start, end
