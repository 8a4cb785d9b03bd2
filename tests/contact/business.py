"""A playbook with every kind of contact rule, and situations under it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np

from nba.contact.caps import PURPOSES, Ledger
from nba.contact.eligibility import Gatekeeper, Situation
from nba.model import ContactRow
from nba.playbook.compile import Playbook, parse

HOUR, DAY = 3_600.0, 86_400.0
AMSTERDAM, NEW_YORK = "Europe/Amsterdam", "America/New_York"

HEAD = """
name: shop
currency: EUR
attributes: {age: number}
touchpoints: [visit, ticket_opened, ticket_closed]
objectives: {window: 7d, outcomes: {visit: {value: 1}}}
stages: [{name: any, when: true}]
channels:
  email: {}
  push: {}
  web: {consent: false}
"""
BARE = """
timings: {now: {}}
actions:
  offer: {channels: [email, push], timings: [now]}
"""
TEXT = (
    HEAD
    + """
timings:
  now: {}
  morning: {from: "07:00", to: "09:30"}
  evening: {from: "18:00", to: "23:00"}
actions:
  offer: {channels: [email, push], timings: [now, morning, evening]}
  news: {channels: [email, push, web], timings: [now, evening], cooldown: 3d, when: age > 18}
  sale:
    channels: [email]
    timings: [now, morning, evening]
    valid_from: 2026-03-10T00:00:00Z
    valid_until: 2026-03-20T18:30:00Z
  receipt: {purpose: transactional, channels: [email, web], timings: [now]}
  ask: {purpose: service, channels: [push], timings: [now, evening]}
contact:
  caps:
    - {max: 3, within: 7d}
    - {max: 1, within: 1d, channel: push, purposes: [marketing, service]}
  quiet_hours: {from: 22:00, to: 08:00}
  stops:
    - {name: open-ticket, when: open_tickets > 0}
    - {name: minors, when: age < 16, purposes: [marketing, service]}
"""
)


def playbook(text: str = TEXT) -> Playbook:
    return parse(text)


def at(text: str, zone: str = "UTC", fold: int = 0) -> float:
    """`2026-03-29 02:30` on the wall of a zone → epoch seconds."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def contact(
    moment: float,
    action: str = "offer",
    channel: str = "email",
    purpose: str = "marketing",
    *,
    id: str = "d",
    category: str = "general",
    status: Literal["reserved", "held"] = "reserved",
) -> ContactRow:
    return ContactRow(
        decision_id=id,
        surrogate="s",
        action=action,
        channel=channel,
        purpose=purpose,
        category=category,
        send_at=moment,
        status=status,
    )


def situation(
    book: Playbook,
    now: Sequence[float],
    contacts: Sequence[Iterable[ContactRow]] | None = None,
    *,
    zones: Sequence[str] | None = None,
    **features: float,
) -> Situation:
    """Customers who consent to everything and ask for anything; features not named are 0."""
    n = len(now)
    X = np.zeros((n, len(book.schema)))
    X[:, book.schema.index["age"]] = 40.0
    for name, value in features.items():
        X[:, book.schema.index[name]] = value
    return Situation(
        now=np.array(now, dtype=np.float64),
        zones=["UTC"] * n if zones is None else zones,
        features=X,
        consent=np.ones((n, len(PURPOSES), len(book.arms.channels)), dtype=np.bool_),
        ledger=Ledger.of(book, [list(rows) for rows in contacts or [[]] * n]),
        asked_actions=np.ones((n, len(book.arms.actions)), dtype=np.bool_),
        asked_channels=np.ones((n, len(book.arms.channels)), dtype=np.bool_),
        holdout=np.zeros(n, dtype=np.bool_),
    )


def reasons(gatekeeper: Gatekeeper, asked: Situation, row: int = 0) -> dict[str, str]:
    """Arm → the rule that refuses it; empty where it is eligible."""
    codes = gatekeeper.judge(asked).codes[row]
    return {
        name: gatekeeper.reasons[code]
        for name, code in zip(gatekeeper.playbook.arms.names, codes, strict=True)
    }
