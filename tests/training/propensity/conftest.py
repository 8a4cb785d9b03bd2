"""A small shop with a known law: who visits often buys often, members more so, and some drift away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nba.features import history
from nba.playbook.compile import Playbook, parse

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 120
PLAYBOOK = """
name: shop
currency: EUR
timezone: Europe/Amsterdam
context: {device: [ios, web]}
attributes: {member: boolean, plan: [basic, gold]}
touchpoints: [visit, purchase]
objectives: {window: 7d, outcomes: {purchase: {value: amount}}}
stages:
  - {name: lapsing, when: "churn > 0.5"}
  - {name: purchase, when: "days_since_purchase < 7"}
  - {name: awareness, when: "true"}
channels: {email: {}}
timings: {now: {}}
actions: {news: {channels: [email], timings: [now]}}
scores:
  propensity: {purchase: {event: purchase, horizon: 7d}}
  churn: {inactivity: 21d, activity: [visit, purchase]}
"""


@pytest.fixture(scope="session")
def shop() -> Playbook:
    return parse(PLAYBOOK)


@pytest.fixture(scope="session")
def shop_history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 customers over 120 days; with seed 3, so every run sees the same shop."""
    folder = tmp_path_factory.mktemp("shop") / "history"
    history.append(folder, shop_events(np.random.default_rng(3), customers=400), "all")
    return folder


def shop_events(rng: np.random.Generator, customers: int) -> pl.DataFrame:
    rows: list[tuple[str, str, datetime, float, str]] = []
    for c in range(customers):
        name, member = f"c{c}", bool(rng.random() < 0.5)
        joined, left = rng.uniform(0, 40), rng.uniform(30, 240)
        profile = f'{{"member": {str(member).lower()}, "plan": "{"gold" if member else "basic"}"}}'
        rows.append((name, "profile", _day(joined), 0.0, profile))
        rate = rng.gamma(2.0, 0.12)
        for day in joined + np.cumsum(rng.exponential(1 / rate, size=200)):
            if day >= min(left, DAYS):
                break
            rows.append((name, "visit", _day(day), 0.0, "{}"))
            if rng.random() < (0.6 if member else 0.1):
                rows.append((name, "purchase", _day(day + 0.01), 20.0, "{}"))
    customer, kind, at, value, properties = zip(*rows, strict=True)
    return pl.DataFrame(
        {
            "event_id": [f"e{i}" for i in range(len(rows))],
            "customer_id": customer,
            "type": kind,
            "channel": [None] * len(rows),
            "action": [None] * len(rows),
            "occurred_at": at,
            "value": value,
            "properties": properties,
        }
    )


def _day(days: float) -> datetime:
    return START + timedelta(days=float(days))
