"""Random playbooks with every kind of contact rule, near the days on which clocks and calendars jump."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from nba.errors import InvalidPlaybook
from nba.playbook.compile import Playbook, parse
from nba.playbook.schema import Cap

HOUR, DAY = 3_600.0, 86_400.0
CATEGORIES = ("offer", "news", "care")
PURPOSES = ("marketing", "service", "transactional")
# Zones with summer times of half an hour, of Ramadan, at midnight, a minute past it, and at the date line.
ZONES = (
    "UTC",
    "Europe/Amsterdam",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Beirut",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Pacific/Kiritimati",
)
# Moments shortly before a jump in one of them: Morocco's two, Europe's and the Levant's, Lord Howe's, the
# autumn's, the day that Samoa left out, the day that Kiritimati left out, St John's minute past midnight.
STARTS = tuple(
    datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    for text in (
        "2026-02-13T05:10:00",
        "2026-03-20T11:00:00",
        "2026-03-27T21:30:00",
        "2026-04-03T02:00:00",
        "2026-10-23T19:45:00",
        "2011-12-28T15:00:00",
        "1994-12-29T06:30:00",
        "2010-11-05T20:00:00",
    )
)
Known = Callable[[float, float], bool]
# Rule → the same over age and days since the last visit, NaN where not known; unknown is False.
WHEN: dict[str, Known] = {
    "true": lambda age, visit: True,
    "age > 30": lambda age, visit: age > 30,
    "days_since_visit < 20 or age > 50": lambda age, visit: visit < 20 or age > 50,
}
STOP = "age < 20"


def stop_may_hold(age: float) -> bool:
    return math.isnan(age) or age < 20


def random_playbook(rng: Random, start: float) -> Playbook:
    """A playbook in whose rules something can happen in the month after `start`.

    Its caps are put in afterwards, since the loader refuses those that another one makes superfluous.
    """
    caps = [Cap.model_validate(_cap(rng)) for _ in range(rng.randint(0, 4))]
    while True:
        try:
            playbook = parse(json.dumps(_document(rng, start)))
        except InvalidPlaybook:  # a part of the day that lies wholly in the quiet hours
            continue
        contact = playbook.spec.contact.model_copy(update={"caps": caps})
        return replace(playbook, spec=playbook.spec.model_copy(update={"contact": contact}))


def _document(rng: Random, start: float) -> dict[str, Any]:
    channels = {name: {"consent": rng.random() < 0.7, "cost": rng.choice([0.0, 0.1])} for name in "abc"}
    timings = {"now": {}} | {
        name: {"from": _clock(low), "to": _clock(high)}
        for name, low, high in (("early", *_part(rng)), ("late", *_part(rng)))
    }
    quiet = sorted(rng.sample(range(0, 1_440, 15), 2), reverse=rng.random() < 0.6)
    contact: dict[str, Any] = {}
    if rng.random() < 0.6:
        contact["quiet_hours"] = {"from": _clock(quiet[0]), "to": _clock(quiet[1])}
    if rng.random() < 0.4:
        contact["stops"] = [{"name": "young", "when": STOP, "purposes": _some(rng, PURPOSES)}]
    return {
        "name": "random",
        "currency": "EUR",
        "timezone": rng.choice(ZONES),
        "attributes": {"age": "number"},
        "touchpoints": ["visit"],
        "objectives": {"window": "7d", "outcomes": {"visit": {"value": 1}}},
        "stages": [{"name": "any", "when": True}],
        "channels": channels,
        "timings": timings,
        "actions": {f"act{i}": _action(rng, start) for i in range(rng.randint(2, 5))},
        "contact": contact,
    }


def _action(rng: Random, start: float) -> dict[str, Any]:
    action: dict[str, Any] = {
        "purpose": rng.choices(PURPOSES, [6, 2, 1])[0],
        "category": rng.choice(CATEGORIES),
        "cost": rng.choice([0.0, 0.25, 0.5]),
        "channels": _some(rng, "abc"),
        "timings": _some(rng, ("now", "early", "late")),
        "when": rng.choice(list(WHEN)),
        "priority": rng.choice([-1, 0, 1, 2]),
    }
    if rng.random() < 0.3:
        action["valid_from"] = _moment(start + rng.uniform(-1, 2) * DAY)
    if rng.random() < 0.3:
        action["valid_until"] = _moment(start + rng.uniform(2.1, 9) * DAY)
    if rng.random() < 0.4:
        action["cooldown"] = f"{rng.randint(1, 100)}h"
    if rng.random() < 0.4:
        action["stop_after"] = {"visit": f"{rng.randint(1, 60)}h"}
    if rng.random() < 0.2:
        action["daily"] = _daily(rng)
    return action


def _daily(rng: Random) -> dict[str, Any]:
    contacts, spend = {"contacts": rng.choice([0, 40, 300])}, {"spend": rng.choice([9.9, 80.0])}
    return rng.choice([contacts, spend, contacts | spend])


def _cap(rng: Random) -> dict[str, Any]:
    length = (
        {"within": f"{rng.choice([7, 24, 60, 168])}h"}
        if rng.random() < 0.5
        else {"per": rng.choice(["day", "week", "month"])}
    )
    cap: dict[str, Any] = {"max": rng.choices([0, 1, 2, 3, 5], [1, 10, 8, 4, 2])[0], **length}
    if rng.random() < 0.3:
        cap["channel"] = rng.choice("abc")
    if rng.random() < 0.3:
        cap["category"] = rng.choice(CATEGORIES)
    if rng.random() < 0.4:
        cap["purposes"] = _some(rng, PURPOSES)
    return cap


def _some(rng: Random, names: Any) -> list[str]:
    return rng.sample(list(names), rng.randint(1, len(names)))


def _part(rng: Random) -> tuple[int, int]:
    low, high = sorted(rng.sample(range(0, 1_441, 15), 2))
    return low, high


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).isoformat()
