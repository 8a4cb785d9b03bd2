"""What the contact rules say, once more and naively: decision by decision, window by window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from nba.blobs import unpack_one
from nba.playbook.compile import Playbook
from nba.playbook.schema import Cap
from nba.policies.explore import uniform_tree
from nba.stores.ports import DecisionRow

HELD = 1_800.0


@dataclass(slots=True)
class Person:
    """What has been said of one customer so far, and the contacts that count."""

    consents: dict[tuple[str, str | None], tuple[float, bool]] = field(default_factory=dict)
    timezone: str | None = None
    contacts: list[Contact] = field(default_factory=list)
    latest: dict[str, float] = field(default_factory=dict)
    decided: set[str] = field(default_factory=set)

    def hears(self, purpose: str, channel: str | None, granted: bool, at: float) -> None:
        self.consents[purpose, channel] = (at, granted)

    def agrees(self, purpose: str, channel: str) -> bool:
        said = [self.consents[k] for k in ((purpose, channel), (purpose, None)) if k in self.consents]
        return bool(said) and max(said, key=lambda word: (word[0], not word[1]))[1]


@dataclass(slots=True)
class Contact:
    id: str
    action: str
    channel: str
    purpose: str
    send_at: float
    until: float | None = None  # a held one counts until then

    def counts(self, at: float) -> bool:
        return self.until is None or self.until > at


def breaches(playbook: Playbook, person: Person, answer: Mapping[str, Any], at: float) -> list[str]:
    """The rules that a decision to contact breaks; what it displaces leaves the person's contacts."""
    spec, action = playbook.spec, playbook.spec.actions[answer["action"]]
    send_at = datetime.fromisoformat(answer["send_at"]).timestamp()
    broken = []
    if spec.channels[answer["channel"]].consent and not person.agrees(action.purpose, answer["channel"]):
        broken.append("consent")
    if answer["channel"] not in action.channels or answer["timing"] not in action.timings:
        broken.append("arm")
    if action.valid_from and send_at < action.valid_from.timestamp():
        broken.append("valid_from")
    if action.valid_until and send_at >= action.valid_until.timestamp():
        broken.append("valid_until")
    if _quiet(playbook, person, send_at):
        broken.append("quiet hours")
    if send_at < at:
        broken.append("in the past")
    if any(at - person.latest.get(type, -np.inf) < so_long for type, so_long in action.stop_after.items()):
        broken.append("stop_after")
    mine = Contact("new", answer["action"], answer["channel"], action.purpose, send_at)
    same = [c for c in person.contacts if c.action == mine.action and c.counts(at)]
    if action.cooldown and any(abs(c.send_at - send_at) < action.cooldown for c in same):
        broken.append("cooldown")
    broken += _displaces(playbook, person, answer.get("displaced", []), action.priority, at)
    counting = [c for c in person.contacts if c.counts(at)]
    broken += _over(playbook, person, [*counting, mine], mine)
    return broken


def _displaces(playbook: Playbook, person: Person, ids: list[str], priority: int, at: float) -> list[str]:
    """Only what is reserved, not sent yet and of lower priority gives way."""
    broken = []
    for id in ids:
        found = [c for c in person.contacts if c.id == id and c.counts(at)]
        lower = [c for c in found if playbook.spec.actions[c.action].priority < priority]
        if not any(c.send_at > at and c.until is None for c in lower):
            broken.append("displaced what must stay")
        person.contacts = [c for c in person.contacts if c.id != id]
    return broken


def _quiet(playbook: Playbook, person: Person, send_at: float) -> bool:
    quiet = playbook.spec.contact.quiet_hours
    if quiet is None:
        return False
    local = datetime.fromtimestamp(send_at, ZoneInfo(person.timezone or playbook.spec.timezone))
    second = local.hour * 3600 + local.minute * 60 + local.second
    if quiet.start < quiet.end:
        return quiet.start <= second < quiet.end
    return second >= quiet.start or second < quiet.end


def _over(playbook: Playbook, person: Person, contacts: Sequence[Contact], mine: Contact) -> list[str]:
    zone = ZoneInfo(person.timezone or playbook.spec.timezone)
    broken = []
    for i, cap in enumerate(playbook.spec.contact.caps):
        if not _concerns(playbook, cap, mine):
            continue  # this contact is not held back by it
        counted = [c.send_at for c in contacts if _concerns(playbook, cap, c)]
        if cap.within is None:
            period = _period(cap.per, mine.send_at, zone)
            fullest = sum(_period(cap.per, moment, zone) == period for moment in counted)
        else:
            windows = [(start, start + cap.within) for start in counted]
            holding = [(start, end) for start, end in windows if start <= mine.send_at < end]
            fullest = max(sum(start <= moment < end for moment in counted) for start, end in holding)
        if fullest > cap.max:
            broken.append(f"caps[{i}]")
    return broken


def _concerns(playbook: Playbook, cap: Cap, contact: Contact) -> bool:
    category = playbook.spec.actions[contact.action].category
    asked = ((cap.channel, contact.channel), (cap.category, category))
    return contact.purpose in cap.purposes and all(only in (None, own) for only, own in asked)


def _period(per: str | None, moment: float, zone: ZoneInfo) -> tuple[int, ...]:
    local = datetime.fromtimestamp(int(moment), zone)
    if per == "week":
        return tuple(local.isocalendar())[:2]
    return (local.year, local.month, local.day) if per == "day" else (local.year, local.month)


def overdrawn(playbook: Playbook, contacts: Sequence[Contact], mine: Contact, at: float) -> bool:
    """Whether a contact takes its action over its daily limit, `contacts` being everybody's."""
    daily = playbook.spec.actions[mine.action].daily
    if daily is None:
        return False
    zone = ZoneInfo(playbook.spec.timezone)
    day = _period("day", mine.send_at, zone)
    counted = [c for c in contacts if c.action == mine.action and c.counts(at)]
    same = [c for c in counted if _period("day", c.send_at, zone) == day]
    spent = sum(_cost(playbook, c) for c in [*same, mine])
    too_many = daily.contacts is not None and len(same) + 1 > daily.contacts
    return too_many or (daily.spend is not None and spent > daily.spend + 1e-9)


def _cost(playbook: Playbook, contact: Contact) -> float:
    return playbook.spec.actions[contact.action].cost + playbook.spec.channels[contact.channel].cost


def sound_odds(playbook: Playbook, row: DecisionRow) -> bool:
    """Odds as logged: over eligible arms alone, adding up to 1, the drawn arm's being the propensity."""
    odds = unpack_one(row.odds, len(row.eligible) // 2)
    eligible = np.frombuffer(row.eligible, dtype=np.int16) == 0
    floor = playbook.spec.exploration.floor * uniform_tree(playbook.arms, eligible[None, :])[0]
    return bool(
        abs(odds.sum() - 1.0) < 1e-9
        and (odds[~eligible] == 0.0).all()
        and (odds[eligible] >= floor[eligible] - 1e-12).all()
        and odds[playbook.arms.index[row.arm]] == row.propensity
        and eligible[0]
    )
