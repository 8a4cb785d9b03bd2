"""The newest rows of the store, up to a bound, whatever its size: what a page may read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import orjson

from nba.stores.ports import DecisionRow, DrawRow, Store, TouchpointRow
from serving.console.desk import Desk

Row = TypeVar("Row")
DAY = 86_400.0
_MOST_STANDING, _STANDING_FRESH = 10_000, 120.0


class Standing(NamedTuple):
    """Where a customer stood at a decision, by its answer; None where that is not known."""

    surrogate: str
    at: float
    stage: str | None
    segment: str | None
    contact: bool
    churn: float | None
    purchase: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest(Generic[Row]):
    """The newest rows of [since, until), oldest first; `cut` where the bound made it shorter than asked."""

    rows: Sequence[Row]
    since: float
    until: float
    cut: bool


def newest_draws(store: Store, *, until: float, longest: float, most: int) -> Newest[DrawRow]:
    """At most `most` of the last `longest` seconds."""
    first = store.moment_back("decisions", most, until)
    since = max(first, until - longest)
    rows = _last(store.draws(since, until), most)
    return Newest(rows=rows, since=since, until=until, cut=first > until - longest)


def newest_touchpoints(store: Store, *, until: float, longest: float, most: int) -> Newest[TouchpointRow]:
    """Likewise."""
    first = store.moment_back("touchpoints", most, until)
    since = max(first, until - longest)
    rows = _last(store.touchpoints(since, until), most)
    return Newest(rows=rows, since=since, until=until, cut=first > until - longest)


def newest_decisions(store: Store, *, until: float, most: int) -> list[DecisionRow]:
    """The newest `most` decisions, oldest first."""
    since = store.moment_back("decisions", most, until)
    return _last(store.decisions(since, until, 2_000), most)


def standing(desk: Desk, now: float) -> list[Standing]:
    """By the newest decisions, oldest first; pages share them for two minutes."""

    def read() -> list[Standing]:
        rows = newest_decisions(desk.store, until=now, most=_MOST_STANDING)
        return [_stood(row) for row in rows if row.body]

    return desk.kept("standing", _STANDING_FRESH, read).value


def _stood(row: DecisionRow) -> Standing:
    answer = orjson.loads(row.body)
    scores = answer.get("scores", {})
    return Standing(
        surrogate=row.surrogate,
        at=row.decided_at,
        stage=answer.get("stage"),
        segment=answer.get("segment"),
        contact=row.channel is not None,
        churn=scores.get("churn"),
        purchase=scores.get("purchase"),
    )


def _last(chunks: Iterator[list[Row]], most: int) -> list[Row]:
    """The last `most`: of rows at one moment there may be more than were counted."""
    kept: deque[Row] = deque(maxlen=most)
    for chunk in chunks:
        kept.extend(chunk)
    return list(kept)
