"""A shop with four kinds of customers, planted: they differ in recency, value and habits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from nba.features import history
from nba.playbook.compile import Playbook, parse

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 180
AS_OF = (START + timedelta(days=DAYS)).timestamp()
PLAYBOOK = """
name: planted
currency: EUR
touchpoints: [visit, opened, purchase]
objectives: {window: 7d, outcomes: {purchase: {value: amount}, opened: {value: 0.1}}}
stages:
  - {name: buyer, when: "days_since_purchase < 30"}
  - {name: other, when: "true"}
channels: {email: {}, app: {}}
timings: {now: {}}
actions:
  news: {channels: [email], timings: [now]}
  back: {channels: [app], timings: [now], when: "segment == 'lapsing regulars'"}
contact:
  stops: [{name: rich, when: "segment == 'active big-basket regulars'"}]
scores: {churn: {inactivity: 120d, activity: [visit, opened, purchase]}}
groups: {holdout: 0, random_eligible: 0}
"""
KINDS = ("big", "thrifty", "lapsing", "new")


def planted() -> Playbook:
    return parse(PLAYBOOK)


def events(each: int, seed: int = 0, noise: float = 0.0, order: int | None = None) -> pl.DataFrame:
    """`each` customers of every kind; their ids begin with it.

    Args:
        noise: share of the events that are left out at random.
        order: a seed by which the rows are shuffled, and customers renumbered within their kind.
    """
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, str, str, datetime, float]] = []
    for kind in KINDS:
        for number in range(each):
            rows += [(f"{kind}-{number:04d}", *one) for one in _life(kind, rng)]
    frame = pl.DataFrame(
        rows, schema=["customer_id", "type", "channel", "occurred_at", "value"], orient="row"
    )
    frame = frame.filter(pl.Series(np.random.default_rng(seed + 1).random(len(frame)) >= noise))
    frame = frame.with_row_index("number").with_columns(
        pl.format("e{}", "number").alias("event_id"),
        pl.lit(None).alias("action"),
        pl.lit("{}").alias("properties"),
    )
    return frame if order is None else frame.sample(fraction=1.0, shuffle=True, seed=order)


def written(folder: Path, frame: pl.DataFrame) -> Path:
    history.append(folder, frame, "all")
    return folder


def _life(kind: str, rng: np.random.Generator) -> list[tuple[str, str, datetime, float]]:
    joined, left, gap, hour, channel, price = {
        "big": (5.0, 180.0, 9.0, 20.0, "app", 90.0),
        "thrifty": (5.0, 180.0, 8.0, 9.0, "email", 12.0),
        "lapsing": (5.0, 95.0, 8.0, 9.0, "email", 12.0),
        "new": (165.0, 180.0, 3.0, 20.0, "app", 0.0),
    }[kind]
    joined, left = joined + rng.uniform(0, 10), left - rng.uniform(0, 5)
    told: list[tuple[str, str, datetime, float]] = []
    day = joined
    while day < left:
        at = np.floor(day) + (hour + rng.normal(0, 1)) / 24
        told.append(("visit", channel, _moment(at), 0.0))
        if channel == "email":
            told.append(("opened", channel, _moment(at - 0.01), 0.0))
        if price and rng.random() < 0.8:
            told.append(("purchase", channel, _moment(at + 0.01), price * rng.uniform(0.7, 1.3)))
        day += rng.exponential(gap)
    return told or [("visit", channel, _moment(joined), 0.0)]


def _moment(day: float) -> datetime:
    return START + timedelta(days=min(day, DAYS - 0.01))
