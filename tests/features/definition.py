"""The features by their definition, one customer and one touchpoint at a time, in plain Python.

What the fold and the table are held against; slow on purpose, shares no code with them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import polars as pl

from nba.features.layout import Array
from nba.features.state import States, Touchpoints
from nba.playbook.declaration import FeatureSchema
from tests.strategies import SCHEMA, Event


def features(events: Sequence[Event], at: float, schema: FeatureSchema = SCHEMA) -> dict[str, float]:
    """The state features of one customer at epoch seconds no earlier than the last of the events."""
    known = [e for e in events if e.type in schema.types]
    out: dict[str, float] = {}
    for name, mine in [
        *((t, [e for e in known if e.type == t]) for t in schema.types),
        *((f"via_{_plain(c)}", [e for e in known if e.channel == c]) for c in schema.channels),
    ]:
        for half_life in (1, 7, 30, 90):
            out[f"{name}_count_hl{half_life}"] = math.fsum(_left(e, at, half_life) for e in mine)
            out[f"{name}_value_hl{half_life}"] = math.fsum(_value(e) * _left(e, at, half_life) for e in mine)
    for t in schema.types:
        out[f"days_since_{t}"] = _days_since([e for e in known if e.type == t], at)
        out[f"{t}_total"] = sum(e.type == t for e in known)
    for a in schema.actions:
        contacts = [e for e in known if e.type == "contact" and e.action == a]
        out[f"days_since_{_plain(a)}"] = _days_since(contacts, at)
    out["tenure_days"] = (at - min(e.millis / 1e3 for e in known)) / 86_400 if known else math.nan
    theirs = [e for e in known if e.type != "contact"]
    latest = max((e.millis / 1e3 for e in known), default=0.0)
    activity = math.fsum(_left(e, latest, 90) for e in theirs) or math.nan
    for h in range(24):
        out[f"hour_{h:02d}_share"] = sum(_left(e, latest, 90) for e in theirs if _utc(e).hour == h) / activity
    for d in range(7):
        some = [e for e in theirs if _utc(e).weekday() == d]
        out[f"weekday_{d}_share"] = sum(_left(e, latest, 90) for e in some) / activity
    out["open_tickets"] = max(0.0, out["ticket_opened_total"] - out["ticket_closed_total"])
    for w in schema.windows:
        inside = [e for e in known if e.type == w.type and at // 86_400 - e.millis // 86_400_000 < w.days]
        out[w.name] = math.fsum(_value(e) if w.measure == "value" else 1.0 for e in inside)
    return out


def rows(customers: Sequence[Sequence[Event]], at: Sequence[float], schema: FeatureSchema = SCHEMA) -> Array:
    """(n, S) for n customers, each at its own time, in the order of `schema.state_names`."""
    each = [features(events, t, schema) for events, t in zip(customers, at, strict=True)]
    values = [row[name] for row in each for name in schema.state_names]
    return np.array(values, dtype=np.float64).reshape(len(each), len(schema.state_names))


def assert_equal(actual: Array, customers: Sequence[Sequence[Event]], at: Sequence[float]) -> None:
    """To 1e-9, relative to the sum of the magnitudes that are added; below 1e-200 is nothing."""
    expected = rows(customers, at)
    sizes = rows([[_absolute(e) for e in events] for events in customers], at)
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
    worst = np.nan_to_num(np.abs(actual - expected) - 1e-9 * np.maximum(np.abs(sizes), np.abs(expected)))
    assert worst.max(initial=0.0) <= 1e-200, SCHEMA.state_names[int(worst.max(axis=0).argmax())]


def touchpoints(events: Sequence[Event], schema: FeatureSchema = SCHEMA) -> Touchpoints:
    return Touchpoints.of(
        schema,
        row=[e.customer for e in events],
        type=[e.type for e in events],
        channel=[e.channel for e in events],
        action=[e.action for e in events],
        at=[e.millis / 1e3 for e in events],
        value=[e.value for e in events],
    )


def frame(events: Sequence[Event]) -> pl.DataFrame:
    """The same events as the table takes them; a customer is called c-0, c-1, …"""
    millis = pl.Series([e.millis for e in events], dtype=pl.Int64)
    return pl.DataFrame(
        {
            "customer_id": pl.Series([f"c-{e.customer}" for e in events], dtype=pl.String),
            "type": pl.Series([e.type for e in events], dtype=pl.String),
            "channel": pl.Series([e.channel for e in events], dtype=pl.String),
            "action": pl.Series([e.action for e in events], dtype=pl.String),
            "occurred_at": instants(millis),
            "value": pl.Series([e.value for e in events], dtype=pl.Float64),
        }
    )


def instants(millis: pl.Series) -> pl.Series:
    return millis.cast(pl.Datetime("ms", "UTC")).cast(pl.Datetime("us", "UTC"))


def assert_close(one: States, other: States, events: Sequence[Event]) -> None:
    """Two states of the same events are the same up to rounding."""
    sizes = States.of(one.layout, len(one), touchpoints([_absolute(e) for e in events])).data
    difference = np.abs(one.data - other.data)
    assert (difference <= 1e-9 * np.abs(sizes) + 1e-200).all()


def _absolute(e: Event) -> Event:
    return Event(
        customer=e.customer,
        type=e.type,
        channel=e.channel,
        action=e.action,
        millis=e.millis,
        value=abs(e.value),
    )


def _value(e: Event) -> float:
    return max(-1e15, min(1e15, e.value))


def _left(e: Event, at: float, half_life: int) -> float:
    return float(0.5 ** ((at - e.millis / 1e3) / 86_400 / half_life))


def _days_since(events: Sequence[Event], at: float) -> float:
    return (at - max(e.millis / 1e3 for e in events)) / 86_400 if events else math.nan


def _utc(e: Event) -> datetime:
    return datetime.fromtimestamp(e.millis // 1000, tz=UTC)


def _plain(name: str) -> str:
    return name.replace("-", "_")
