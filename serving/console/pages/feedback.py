"""What customers say: survey scores by week with their interval, and the latest words, as they wrote them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
import polars as pl

from nba.stores.ports import Store, TouchpointRow
from serving.console import kpis
from serving.console.charts import Point, line
from serving.console.desk import Ask, Desk, Shown
from serving.console.kpis import WEEK, Figure
from serving.console.reading import newest_touchpoints

TYPES = ("nps", "csat", "ces", "review", "comment", "complaint")
_SCALES = {"csat": (1.0, 5.0), "ces": (1.0, 7.0)}
_LONGEST, _MOST, _FRESH = 26 * WEEK, 300_000, 15.0
_LATEST = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """Survey answers by type and week, and the latest texts."""

    weeks: Mapping[str, list[tuple[float, Figure]]]
    counts: Mapping[str, int]
    texts: list[dict[str, Any]]
    since: float
    cut: bool


def show(desk: Desk, ask: Ask) -> Shown:
    now = desk.now()
    words = ask.words
    if math.isnan(now):
        return Shown(template="feedback.html", values={"cards": [], "texts": [], "counts": {}})
    kept = desk.kept("feedback", _FRESH, lambda: _read(desk.store, now))
    cards = []
    for name, weeks in kept.value.weeks.items():
        digits = 0 if name == "nps" else 2
        points = [Point(label=words.short_day(at), value=f.value, low=f.low, high=f.high) for at, f in weeks]
        last = weeks[-1][1]
        title = {"nps": words("NPS"), "csat": words("Satisfaction (CSAT)"), "ces": words("Effort (CES)")}[
            name
        ]
        cards.append(
            {
                "title": title,
                "value": None if last.value is None else words.number(last.value, digits),
                "chart": line(title, points, partial(words.number, digits=digits)),
                "rows": [(words.day(at), _said(f, words, digits), words.number(f.n)) for at, f in weeks],
            }
        )
    values = {"cards": cards, "texts": kept.value.texts, "counts": kept.value.counts}
    return Shown(template="feedback.html", values=values, at=kept.at)


def _said(figure: Figure, words: Any, digits: int) -> str:
    if figure.value is None:
        return ""
    told: str = words.number(figure.value, digits)
    if figure.low is None or figure.high is None:
        return told
    low, high = words.number(figure.low, digits), words.number(figure.high, digits)
    return f"{told} ({words('{low} to {high}', low=low, high=high)})"


def _read(store: Store, now: float) -> _Read:
    found = newest_touchpoints(store, until=now, longest=_LONGEST, most=_MOST)
    rows = [row for row in found.rows if row.type in TYPES]
    weeks = {
        name: _by_week([r for r in rows if r.type == name], name, found.since, now)
        for name in ("nps", "csat", "ces")
        if any(r.type == name for r in rows)
    }
    written = [row for row in reversed(rows) if row.properties][:_LATEST]
    names = store.names([row.surrogate for row in written])
    texts = [
        {
            "type": row.type,
            "at": row.occurred_at,
            "value": row.value,
            "customer_id": names.get(row.surrogate),
            "text": orjson.loads(row.properties or "{}").get("text"),
        }
        for row in written
    ]
    return _Read(
        weeks=weeks,
        counts={name: sum(r.type == name for r in rows) for name in TYPES},
        texts=[text for text in texts if text["text"]],
        since=found.since,
        cut=found.cut,
    )


def _by_week(rows: list[TouchpointRow], name: str, since: float, now: float) -> list[tuple[float, Figure]]:
    count = max(1, min(12, int((now - since) // WEEK)))
    starts = [now - WEEK * (count - i) for i in range(count)]
    return [
        (start + WEEK, _figure([r.value for r in rows if start <= r.occurred_at < start + WEEK], name))
        for start in starts
    ]


def _figure(values: list[float], name: str) -> Figure:
    if name == "nps":
        return kpis.nps(pl.DataFrame({"type": ["nps"] * len(values), "value": values}, schema=_ANSWERS))
    low, high = _SCALES[name]
    good = [value for value in values if low <= value <= high]
    if not good:
        return Figure(value=None, n=0)
    mean = sum(good) / len(good)
    if len(good) < 2:
        return Figure(value=mean, n=len(good))
    variance = sum((value - mean) ** 2 for value in good) / (len(good) - 1)
    half = 1.959964 * math.sqrt(variance / len(good))
    return Figure(value=mean, n=len(good), low=max(mean - half, low), high=min(mean + half, high))


_ANSWERS = {"type": pl.String, "value": pl.Float64}
