"""One decision as a line of VW's dsjson, and such lines back: pure text, no store.

VW raises nothing when a feature's name changes what a line means: `_label_cost` among the features rewrites
the label, wherever it stands. So the label comes first, and names that begin with `_` are left out, as is
what VW has no number for: NaN, infinity, more than a float32 holds, and text that is no Unicode.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from nba.model import Scalar, timestamp

_LARGEST = 3.4028234e38  # float32
Features = Mapping[str, Scalar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A decision with its reward.

    Attributes:
        at: epoch seconds.
        actions: (k,) the eligible arms' names; features: of each; odds: (k,).
        chosen: the place of the arm drawn.
        policy: that drew.
    """

    event_id: str
    at: float
    reward: float
    chosen: int
    actions: Sequence[str]
    odds: Sequence[float]
    shared: Features
    features: Sequence[Features]
    policy: str = ""

    def dumps(self) -> bytes:
        """One line, its end included: the label, then the choice with the chosen arm first, then the context.

        `_label_cost` is −reward, `_label_Action` and `a` count from 1, `_labelIndex` from 0.
        """
        order = [self.chosen, *(i for i in range(len(self.actions)) if i != self.chosen)]
        told = {
            "_label_cost": 0.0 - self.reward,
            "_label_probability": self.odds[self.chosen],
            "_label_Action": self.chosen + 1,
            "_labelIndex": self.chosen,
            "Version": "1",
            "EventId": self.event_id,
            "Timestamp": timestamp(self.at),
            "a": [i + 1 for i in order],
            "p": [self.odds[i] for i in order],
            "pdrop": 0.0,
            "VWState": {"m": self.policy},
            "c": {
                "shared": sayable(self.shared),
                "_multi": [
                    {"_tag": name, "arm": sayable(features)}
                    for name, features in zip(self.actions, self.features, strict=True)
                ],
            },
        }
        return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def sayable(features: Features) -> dict[str, Scalar]:
    """Those that VW can be told of without changing what the line says."""
    return {name: value for name, value in features.items() if _is_name(name) and _is_value(value)}


def flat(context: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Features of nested namespaces by their last name, `_`-names left out."""
    for name, value in context.items():
        if name.startswith("_"):
            continue
        if isinstance(value, Mapping):
            yield from flat(value)
        elif isinstance(value, list):
            for one in value:
                if isinstance(one, Mapping):
                    yield from flat(one)
        else:
            yield name, value


def _is_name(name: str) -> bool:
    return not name.startswith("_") and _is_text(name)


def _is_value(value: Scalar) -> bool:
    if value is None or isinstance(value, bool):
        return value is not None
    return _is_text(value) if isinstance(value, str) else math.isfinite(value) and abs(value) <= _LARGEST


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair
        return False
    return True
