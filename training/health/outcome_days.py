"""What came in as outcomes, by type and by day of the playbook's time zone: figures alone, no judgement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nba.playbook.compile import Playbook
from nba.stores.ports import Store

Floats = NDArray[np.float64]
_SCHEMA = {
    "id": pl.String,
    "customer": pl.String,
    "type": pl.String,
    "at": pl.Float64,
    "value": pl.Float64,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutcomeDay:
    """The outcomes of a type on one day.

    Attributes:
        start, end: epoch seconds, midnight to midnight of the playbook's time zone.
        rows: how many there are.
        others: touchpoints of other types and decisions on that day.
        customers: who has any; negative: with any below zero; positive: with any above it; repeated: with
            the same moment and value under several ids.
        sizes: (customers,) mean |value| of each, rising.
    """

    type: str
    start: float
    end: float
    rows: int
    others: int
    customers: int
    negative: int
    positive: int
    repeated: int
    sizes: Floats


def midnight(moment: float, playbook: Playbook) -> float:
    """The last midnight of the playbook's time zone at or before a moment; epoch seconds both."""
    zone = ZoneInfo(playbook.spec.timezone)
    return datetime.fromtimestamp(moment, zone).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def next_midnight(start: float, playbook: Playbook) -> float:
    """The midnight after this one, 23 to 25 hours later."""
    zone = ZoneInfo(playbook.spec.timezone)
    return (datetime.fromtimestamp(start, zone) + timedelta(days=1)).timestamp()


def read_days(store: Store, playbook: Playbook, since: float, until: float) -> list[OutcomeDay]:
    """Every day from the midnight `since` until before `until`, for each outcome of the objectives, by time.

    Days without any are there too. What was reported as an event and as an outcome under one id counts once.
    """
    types = list(playbook.spec.objectives.outcomes)
    days = list(_days(since, until, playbook))
    starts = np.array([start for start, _ in days])
    own, totals = [pl.DataFrame(schema=_SCHEMA)], np.zeros(len(days), dtype=np.int64)
    for rows in store.touchpoints(since, until):
        cells = [(r.id, r.surrogate, r.type, r.occurred_at, r.value) for r in rows]
        frame = pl.DataFrame(cells, schema=_SCHEMA, orient="row")
        totals += _per_day(frame["at"].to_numpy(), starts)
        own.append(frame.filter(pl.col("type").is_in(types)))
    for draws in store.draws(since, until):
        totals += _per_day(np.array([draw.decided_at for draw in draws]), starts)
    found = pl.concat(own).unique(["id", "customer", "type"], keep="first", maintain_order=True)
    day = np.searchsorted(starts, found["at"].to_numpy(), side="right") - 1
    parts = found.with_columns(day=day).partition_by("type", "day", as_dict=True)
    empty = pl.DataFrame(schema=_SCHEMA)
    return [
        _day(type, days[i], parts.get((type, i), empty), int(totals[i]))
        for i in range(len(days))
        for type in types
    ]


def _days(since: float, until: float, playbook: Playbook) -> Iterator[tuple[float, float]]:
    start = since
    while start < until:
        end = next_midnight(start, playbook)
        yield start, end
        start = end


def _per_day(at: Floats, starts: Floats) -> NDArray[np.int64]:
    return np.bincount(np.searchsorted(starts, at, side="right") - 1, minlength=len(starts))


def _day(type: str, bounds: tuple[float, float], found: pl.DataFrame, total: int) -> OutcomeDay:
    value = pl.col("value").fill_null(0.0)
    each = found.group_by("customer").agg(
        negative=(value < 0).any(),
        positive=(value > 0).any(),
        size=value.abs().mean(),
        repeated=pl.struct("at", "value").is_duplicated().any(),
    )
    return OutcomeDay(
        type=type,
        start=bounds[0],
        end=bounds[1],
        rows=found.height,
        others=total - found.height,
        customers=each.height,
        negative=int(each["negative"].sum()),
        positive=int(each["positive"].sum()),
        repeated=int(each["repeated"].sum()),
        sizes=np.sort(each["size"].to_numpy()),
    )
