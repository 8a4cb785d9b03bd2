"""A line of somebody else's dsjson as a decision of ours: arms by action id, features by name, the cost as an
outcome.

Such a log knows no customers, so each event is a customer of its own: intervals are too narrow where one
came back. What can't be taken is told: CCB and slates, lines without a label (a reward that is not known is
not zero), arms and odds that don't fit.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
import orjson

from nba.blobs import pack
from nba.errors import InvalidInput
from nba.model import ID_RULE, is_id, timestamp
from nba.playbook.arms import NO_CONTACT
from nba.playbook.compile import Playbook
from nba.playbook.declaration import Feature
from nba.stores.ports import DecisionRow, TouchpointRow
from training.interchange.decode import imported_digest
from training.interchange.dsjson import flat

POLICY = "dsjson@0"
_CLOSE = 1e-3  # such logs have float32 odds, often rounded
_IDS = (("_tag",), ("id",), ("i", "id"), ("a", "id"), ("action", "id"))  # where loggers put an action's id
_REFUSED = "not in the log"


@dataclass(frozen=True)
class Reading:
    """How lines are read.

    Attributes:
        renamed: action id of the log → arm of the playbook, before any other rule.
        outcome: the type of touchpoint that carries the reward; None picks the only one worth its amount.
    """

    playbook: Playbook
    renamed: Mapping[str, str] = field(default_factory=dict)
    outcome: str | None = None

    def __post_init__(self) -> None:
        for theirs, ours in self.renamed.items():
            if ours not in self.playbook.arms.index:
                raise InvalidInput.of("map", f"{theirs}={ours}: the playbook has no arm {ours!r}")
        _ = self.carrier

    @cached_property
    def carrier(self) -> str:
        """Raises InvalidInput where no outcome, or more than one, could carry a reward."""
        objectives = self.playbook.spec.objectives
        able = [name for name, o in objectives.outcomes.items() if o.value == "amount" and o.weight]
        if self.outcome is None and len(able) == 1:
            return able[0]
        if self.outcome not in able:
            detail = f"name one that is worth its amount; the playbook has {', '.join(able) or 'none'}"
            raise InvalidInput.of("outcome", detail)
        return str(self.outcome)

    def arm(self, action: Mapping[str, Any]) -> int:
        """The arm of an entry of `_multi`: by its map, by its name, or by its action where that has one arm.

        Raises:
            InvalidInput: it has no id, or no such arm.
        """
        found = _id_of(action)
        if found is None:
            raise InvalidInput.of("c._multi", "an action has no id; give each a _tag or an id")
        name = self.renamed.get(found, found)
        index = self.playbook.arms.index
        if name in index:
            return index[name]
        only = self._by_action.get(name, [])
        if len(only) != 1:
            why = "the playbook has no such arm" if not only else f"it has {len(only)} arms"
            raise InvalidInput.of("c._multi", f"action {found!r}: {why}; say --map {found}=ARM")
        return only[0]

    @cached_property
    def _by_action(self) -> dict[str, list[int]]:
        arms = self.playbook.arms
        by: dict[str, list[int]] = {NO_CONTACT: [0]}
        for arm in range(1, len(arms)):
            by.setdefault(arms.actions[arms.action[arm]], []).append(arm)
        return by

    def read(self, line: bytes) -> tuple[DecisionRow, TouchpointRow]:
        """A line as a decision and the outcome that earns its reward, net of the arm's cost.

        Raises:
            InvalidInput: what is wrong with it, and the mend.
        """
        told = _object(line)
        id, at = _event(told)
        arms = [self.arm(action) for action in _actions(told)]
        if len(set(arms)) < len(arms):
            raise InvalidInput.of("c._multi", "two actions are one arm of the playbook; map them apart")
        odds, chosen = _odds(told, len(arms))
        whole = np.zeros((1, len(self.playbook.arms)))
        whole[0, arms] = odds
        row = self._row(id, at, arms, chosen, whole, _features(told, self.playbook))
        return row, self._outcome(row, -_number(told, "_label_cost"))

    def _row(
        self,
        id: str,
        at: float,
        eligible: list[int],
        chosen: int,
        odds: np.ndarray,
        features: np.ndarray,
    ) -> DecisionRow:
        arms, arm = self.playbook.arms, eligible[chosen]
        contact = arm > 0
        action = arms.actions[arms.action[arm]] if contact else NO_CONTACT
        channel = arms.channels[arms.channel[arm]] if contact else None
        timing = arms.timings[arms.timing[arm]] if contact else None
        propensity = float(odds[0, arm])
        codes = np.where(np.isin(np.arange(len(arms)), eligible), 0, 1)
        answer = {
            "decision_id": id,
            "customer_id": None,
            "decided_at": timestamp(at),
            "action": action,
            "channel": channel,
            "timing": timing,
            "send_at": timestamp(at) if contact else None,
            "propensity": propensity,
            "group": "treatment",
            "policy": POLICY,
            "playbook": self.playbook.version,
        }
        return DecisionRow(
            decision_id=id,
            surrogate="event-" + hashlib.sha256(id.encode()).hexdigest()[:32],
            decided_at=at,
            arm=arms.names[arm],
            action=action,
            channel=channel,
            timing=timing,
            send_at=at if contact else None,
            propensity=propensity,
            group="treatment",
            policy=POLICY,
            playbook=self.playbook.version,
            status="active",
            activated_at=at,
            digest=imported_digest(id),
            body=orjson.dumps(answer),
            trace=orjson.dumps({"imported": "dsjson", "reasons": [(1, _REFUSED)], "brought": []}),
            features=pack(features)[0],
            eligible=codes.astype("<i2").tobytes(),
            odds=pack(odds)[0],
            values=pack(np.zeros_like(odds))[0],
        )

    def _outcome(self, row: DecisionRow, reward: float) -> TouchpointRow:
        """Raises InvalidInput where the playbook would not give back the reward."""
        objectives, arms = self.playbook.spec.objectives, self.playbook.arms
        outcome = objectives.outcomes[self.carrier]
        worth = reward + float(arms.cost[arms.index[row.arm]])
        bounds = [-outcome.cap, outcome.cap] if outcome.cap is not None else [-math.inf, math.inf]
        low, high = objectives.clip or (-math.inf, math.inf)
        if not max(low, bounds[0]) <= worth <= min(high, bounds[1]):
            raise InvalidInput.of("_label_cost", "is beyond the playbook's clip or cap; widen them")
        return TouchpointRow(
            source="outcome",
            id=row.surrogate,
            surrogate=row.surrogate,
            type=self.carrier,
            channel=None,
            occurred_at=row.decided_at,
            value=worth / outcome.weight,
            decision_id=row.decision_id,
        )


def _object(line: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise InvalidInput.of("line", "is no JSON") from None
    if not isinstance(told, dict) or not isinstance(told.get("c"), dict):
        raise InvalidInput.of("c", "there is no context; only whole decision events are taken")
    if "_slots" in told["c"] or "_outcomes" in told:
        raise InvalidInput.of("_outcomes", "CCB and slates are not taken")
    if told.get("_skipLearn"):
        raise InvalidInput.of("_skipLearn", "the decision was never activated; leave it out")
    return told


def _event(told: Mapping[str, Any]) -> tuple[str, float]:
    id, at = told.get("EventId"), told.get("Timestamp")
    if not isinstance(id, str) or not is_id(id):
        raise InvalidInput.of("EventId", ID_RULE)
    try:
        moment = datetime.fromisoformat(str(at))
    except ValueError:
        raise InvalidInput.of("Timestamp", "must be ISO 8601, such as 2026-11-21T18:00:00Z") from None
    if not 1900 <= moment.year < 2200:
        raise InvalidInput.of("Timestamp", "must lie in the years 1900 to 2199")
    return id, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _actions(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    actions = told["c"].get("_multi")
    if not isinstance(actions, list) or not actions or not all(isinstance(a, dict) for a in actions):
        raise InvalidInput.of("c._multi", "must be the list of the actions that could be drawn")
    return actions


def _odds(told: Mapping[str, Any], k: int) -> tuple[np.ndarray, int]:
    """(k,) odds in the order of `_multi`, and the place of the action drawn."""
    order, odds = told.get("a"), told.get("p")
    if not isinstance(order, list) or not all(type(place) is int for place in order):
        raise InvalidInput.of("a", "must be a list of the actions' numbers")
    if sorted(order) != list(range(1, k + 1)):
        raise InvalidInput.of("a", f"must name each of the {k} actions once, counted from 1")
    if not isinstance(odds, list) or len(odds) != k or not all(_is_odds(p) for p in odds):
        raise InvalidInput.of("p", "must be the odds of the actions in `a`")
    if abs(sum(odds) - 1.0) > _CLOSE:
        raise InvalidInput.of("p", f"must add up to 1, not {sum(odds):.4g}")
    placed = np.zeros(k)
    placed[np.array(order) - 1] = odds
    placed /= placed.sum()
    chosen = _chosen(told, k)
    if abs(placed[chosen] - _number(told, "_label_probability")) > _CLOSE or placed[chosen] <= 0:
        raise InvalidInput.of("_label_probability", "must be the odds, in `p`, of the action drawn")
    return placed, chosen


def _chosen(told: Mapping[str, Any], k: int) -> int:
    """Place of the labelled action, from 0: `_labelIndex`, or `_label_Action`, which counts from 1."""
    places = {
        place
        for name, first in (("_labelIndex", 0), ("_label_Action", 1))
        if isinstance(told.get(name), int)
        for place in (told[name] - first,)
    }
    if len(places) != 1 or not 0 <= min(places) < k:
        raise InvalidInput.of("_labelIndex", "it and _label_Action must name one action of `_multi`")
    return int(places.pop())


def _number(told: Mapping[str, Any], name: str) -> float:
    value = told.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        detail = "must be a number; a decision whose reward is not known is not taken, since that is not zero"
        raise InvalidInput.of(name, detail)
    return float(value)


def _is_odds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1 + _CLOSE


def _features(told: Mapping[str, Any], playbook: Playbook) -> np.ndarray:
    """(1, F) what the context says of the playbook's features, by name; NaN where it says nothing."""
    index, features = playbook.schema.index, playbook.schema.features
    row = np.full((1, len(features)), np.nan)
    for name, value in flat(told["c"]):
        if name in index:
            row[0, index[name]] = _value(features[index[name]], value)
    return row


def _value(feature: Feature, value: object) -> float:
    """Raises InvalidInput for one that the feature can't have."""
    if value is None:
        return math.nan
    if feature.kind == "category":
        if value in feature.categories:
            return float(feature.categories.index(str(value)))
    elif isinstance(value, int | float):  # true and false too
        return float(value)
    raise InvalidInput.of(f"c.{feature.name}", f"must be a {feature.kind} as the playbook declares it")


def _id_of(action: Mapping[str, Any]) -> str | None:
    for path in _IDS:
        found: Any = action
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        if isinstance(found, str) and found:
            return found
    return None
