"""A service on a store, and commands by few words; the playbooks that Hypothesis draws for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import yaml
from hypothesis import reject
from hypothesis import strategies as st

from nba.artefacts import Artefacts
from nba.errors import InvalidPlaybook
from nba.live import LiveSource
from nba.model import Answer, DecisionRequest, Receipt, Report, Reports, Result
from nba.playbook.compile import Playbook, parse
from nba.policies.learners import LEARNERS
from nba.policies.served import ServedPolicy
from nba.record import timestamp
from nba.service import Service
from nba.stores.memory import MemoryStore
from nba.stores.ports import Store
from tests.policies.world import World

NOON = 1_750_000_000.0 - 1_750_000_000.0 % 86_400 + 43_200  # 12:00 UTC on a day in June 2025
HOUR, DAY = 3_600.0, 86_400.0
SECRET = bytes(range(32))

OPEN = """
name: open
currency: EUR
context: {device: [ios, web], basket: number, member: boolean}
attributes: {age: number, city: [north, south]}
touchpoints: [visit, purchase]
objectives: {window: 7d, outcomes: {purchase: {value: amount}}}
stages:
  - {name: buyer, when: "purchase_total > 0"}
  - {name: visitor, when: "true"}
channels: {email: {cost: 0.5}, push: {cost: 0.1}}
timings:
  now: {}
  evening: {from: "18:00", to: "21:00"}
actions:
  offer: {channels: [email, push], timings: [now, evening]}
  news: {channels: [email], timings: [now], category: news}
contact:
  caps: [{max: 2, within: 7d}]
exploration: {explorer: squarecb, gamma: 20, floor: 0.05}
groups: {holdout: 0, random_eligible: 0}
"""


def surrogates() -> Iterator[str]:
    return (f"s{i}" for i in count())


@dataclass(frozen=True)
class Business:
    """A service with its store. Answers come as dictionaries."""

    store: Store
    service: Service
    live: LiveSource

    @classmethod
    def of(cls, playbook: Playbook | str = OPEN, store: Store | None = None) -> Business:
        known = parse(playbook) if isinstance(playbook, str) else playbook
        ours = MemoryStore("request", secret=SECRET) if store is None else store
        live = LiveSource(
            playbook=known, store=ours, artefacts=Artefacts(Path("nowhere")), alert=lambda *_: None
        )
        return cls(ours, Service(store=ours, live=live), live)

    def serve(self, policy: ServedPolicy) -> None:
        self.live.current = replace(self.live.current, policy=policy, policy_name="ridge@1")

    def one(self, command: Any, now: float = NOON) -> Result:
        return self.service.handle([command], now)[0]

    def decide(
        self, customer: str, at: float | None = None, now: float = NOON, **asked: Any
    ) -> Mapping[str, Any]:
        return answered(self.one(request(customer, at, **asked), now))

    def report(self, *reports: Report, now: float = NOON) -> Receipt:
        result = self.one(Reports(items=reports), now)
        assert isinstance(result, Receipt)
        return result

    def trace(self, decision_id: str) -> Mapping[str, Any]:
        whole: Mapping[str, Any] = orjson.loads(self.service.decision(decision_id))
        return whole


def answered(result: Result) -> Mapping[str, Any]:
    assert isinstance(result, Answer), result
    body: Mapping[str, Any] = orjson.loads(result.body)
    return body


_numbers = count()


def request(customer: str, at: float | None = None, id: str | None = None, **asked: Any) -> DecisionRequest:
    """The digest is over everything asked, as at the edge."""
    meaning = repr((customer, at, sorted(asked.items()))).encode()
    return DecisionRequest(
        customer_id=customer,
        decision_id=id or f"d{next(_numbers)}",
        digest=hashlib.sha256(meaning).digest(),
        at=at,
        **asked,
    )


def event(customer: str, type: str, at: float | None = NOON - DAY, **fields: Any) -> Report:
    id = fields.pop("id", None) or f"e{next(_numbers)}"
    return Report(source="event", id=id, type=type, customer_id=customer, occurred_at=at, **fields)


def outcome(type: str, at: float | None = NOON, **fields: Any) -> Report:
    id = fields.pop("id", None) or f"o{next(_numbers)}"
    return Report(source="outcome", id=id, type=type, occurred_at=at, **fields)


def consents(
    customer: str,
    channel: str | None = None,
    granted: bool = True,
    at: float | None = NOON - 2 * DAY,
    purpose: str = "marketing",
) -> Report:
    said = {"purpose": purpose, "granted": granted}
    return event(customer, "consent", at, channel=channel, properties=said)


def trained(playbook: Playbook, seed: int = 0) -> ServedPolicy:
    """A ridge policy of 2,000 made-up decisions under the playbook."""
    batch = World.of(playbook, 2_000, seed).log(playbook, seed)
    return ServedPolicy.of(LEARNERS["ridge"].fit(playbook, batch, seed), playbook.spec.exploration)


_DURATIONS = ("6h", "1d", "7d")
_HOURS = ("00:00", "06:00", "09:30", "13:00", "20:00", "23:00")
_PURPOSES = ("marketing", "service", "transactional")


def _iso(hours: int) -> str:
    return str(timestamp(NOON + hours * HOUR))


@st.composite
def playbooks(draw: st.DrawFn, trying: bool = False) -> Playbook:
    """Contact rules of all kinds, drawn together; arms, explorers and groups too; experiments on them."""
    channels = {
        name: {"consent": draw(st.booleans()), "cost": cost}
        for name, cost in (("email", 0.5), ("push", 0.1), ("web", 0.0))
    }
    timings = {
        "now": {},
        "morning": {"from": "07:00", "to": "11:00"},
        "night": {"from": "19:00", "to": "24:00"},
    }
    actions = {name: _action(draw) for name in ("offer", "news", "help")}
    caps = [_cap(draw) for _ in range(draw(st.integers(0, 3)))]
    contact: dict[str, Any] = {"caps": caps}
    if draw(st.booleans()):
        start, end = draw(st.lists(st.sampled_from(_HOURS), min_size=2, max_size=2, unique=True))
        contact["quiet_hours"] = {"from": start, "to": end}
    if draw(st.booleans()):
        contact["stops"] = [{"name": "busy", "when": "visit_total > 1"}]
    explorer = draw(st.sampled_from(["squarecb", "epsilon-greedy", "softmax", "uniform"]))
    spec = {
        **yaml.safe_load(OPEN),
        "name": "drawn",
        "timezone": draw(st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York"])),
        "channels": channels,
        "timings": timings,
        "actions": actions,
        "contact": contact,
        "exploration": {"explorer": explorer, "floor": draw(st.sampled_from([0.0, 0.05, 0.3]))},
        "groups": {"holdout": 0.2, "random_eligible": 0.2},
    }
    if trying:
        spec["experiments"] = _experiments(draw, list(actions))
    try:
        return parse(json.dumps(spec), kept=True)  # which is YAML, and quick to read
    except InvalidPlaybook:  # a part of the day that lies wholly in the quiet hours
        reject()


def _cap(draw: st.DrawFn) -> dict[str, Any]:
    length = draw(st.sampled_from([*({"within": d} for d in _DURATIONS), {"per": "day"}, {"per": "week"}]))
    return {
        "max": draw(st.integers(0, 3)),
        **length,
        "channel": draw(st.sampled_from([None, "email", "push"])),
        "category": draw(st.sampled_from([None, None, "general", "news"])),
        "purposes": draw(st.lists(st.sampled_from(_PURPOSES), min_size=1, max_size=3, unique=True)),
    }


def _action(draw: st.DrawFn) -> dict[str, Any]:
    some: dict[str, Any] = {"min_size": 1, "unique": True}
    action: dict[str, Any] = {
        "purpose": draw(st.sampled_from(_PURPOSES)),
        "channels": draw(st.lists(st.sampled_from(["email", "push", "web"]), **some)),
        "timings": draw(st.lists(st.sampled_from(["now", "morning", "night"]), **some)),
    }
    if draw(st.booleans()):
        action["cooldown"] = draw(st.sampled_from(_DURATIONS))
    action["category"] = draw(st.sampled_from(["general", "news"]))
    action["priority"] = draw(st.sampled_from([0, 0, 5, -3]))
    action["lever"] = draw(st.sampled_from([1.0, 1.0, 2.0]))
    if draw(st.integers(0, 3)) == 0:
        action["daily"] = draw(st.sampled_from([{"contacts": 0}, {"contacts": 2}, {"spend": 0.7}]))
    if draw(st.integers(0, 3)) == 0:
        action["stop_after"] = {"purchase": draw(st.sampled_from(_DURATIONS))}
    if draw(st.booleans()):
        action["valid_from"] = _iso(draw(st.integers(-24, 48)))
    if draw(st.booleans()):
        action["valid_until"] = _iso(draw(st.integers(60, 120)))
    return action


_CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"exploration": {"explorer": "epsilon-greedy", "floor": 0.3}},
    {"contact": {"caps": [{"max": 1, "within": "7d"}]}},
    {"contact": {"caps": [], "stops": [{"name": "seen", "when": "purchase_total > 0"}]}},
    {"contact": {"quiet_hours": {"from": "00:00", "to": "06:00"}}},
)


def _experiments(draw: st.DrawFn, actions: list[str]) -> list[dict[str, Any]]:
    """Two on one layer, which change rules; one on another, which changes actions and who decides."""

    def variants(of: Any) -> dict[str, Any]:
        drawn = draw(st.lists(of, min_size=2, max_size=3))
        weights = st.sampled_from([1.0, 3.0])
        return {f"v{i}": {"weight": draw(weights), **variant} for i, variant in enumerate(drawn)}

    changed = st.sampled_from(actions).flatmap(lambda name: _changed_action(name))
    ruled = st.sampled_from(_CHANGES).map(lambda change: {"change": change})
    policy = st.sampled_from(["champion", "uniform", "no_contact"])
    acting = st.builds(lambda change, policy: {"change": change, "policy": policy}, changed, policy)
    return [
        {"name": "first", "share": 0.4, "variants": variants(ruled)},
        {"name": "second", "share": 0.6, "variants": variants(ruled), "starts": _iso(24)},
        {"name": "acting", "layer": "acting", "share": 0.8, "variants": variants(acting), "ends": _iso(72)},
    ]


def _changed_action(name: str) -> st.SearchStrategy[dict[str, Any]]:
    fields = st.sampled_from(
        [{}, {"cooldown": "1d"}, {"daily": {"contacts": 3}}, {"daily": None}, {"priority": 9}, {"cost": 0.3}]
    )
    return fields.map(lambda field: {"actions": {name: field}} if field else {})
