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
from nba.policies.explore import uniform_tree
from nba.stores.ports import DecisionRow

HELD = 1_800.0


@dataclass(slots=True)
class Person:
    """What has been said of one customer so far, and the contacts that count."""

    consents: dict[tuple[str, str | None], tuple[float, bool]] = field(default_factory=dict)
    timezone: str | None = None
    contacts: list[Contact] = field(default_factory=list)

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


def breaches(playbook: Playbook, person: Person, answer: Mapping[str, Any], at: float) -> list[str]:
    """The rules that a decision to contact breaks."""
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
    mine = Contact("new", answer["action"], answer["channel"], action.purpose, send_at)
    counting = [c for c in person.contacts if c.until is None or c.until > at]
    same = [c for c in counting if c.action == mine.action]
    if action.cooldown and any(abs(c.send_at - send_at) < action.cooldown for c in same):
        broken.append("cooldown")
    broken += _over(playbook, [*counting, mine], mine)
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


def _over(playbook: Playbook, contacts: Sequence[Contact], mine: Contact) -> list[str]:
    broken = []
    for i, cap in enumerate(playbook.spec.contact.caps):
        if mine.purpose not in cap.purposes or cap.channel not in (None, mine.channel):
            continue  # this contact is not held back by it
        counted = [
            c.send_at for c in contacts if c.purpose in cap.purposes and cap.channel in (None, c.channel)
        ]
        windows = [(start, start + cap.within) for start in counted]
        holding = [(start, end) for start, end in windows if start <= mine.send_at < end]
        if any(sum(start <= moment < end for moment in counted) > cap.max for start, end in holding):
            broken.append(f"caps[{i}]")
    return broken


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
