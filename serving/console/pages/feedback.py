"""What customers say: survey scores by week with their interval, and the latest words, as they wrote them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from nba.playbook.feedback import SURVEYS, Feedback, Scale, Survey
from nba.stores.ports import Store, TouchpointRow
from serving.console.charts import Point, line
from serving.console.desk import Ask, Desk, Shown
from serving.console.figure import Figure
from serving.console.kpis import WEEK
from serving.console.reading import newest_touchpoints
from serving.console.surveys import surveyed

TYPES = ("nps", "csat", "ces", "review", "comment", "complaint")
_LONGEST, _MOST, _FRESH = 26 * WEEK, 300_000, 15.0
_LATEST = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """Survey answers by type and week, and the latest texts."""

    weeks: Mapping[Survey, list[tuple[float, Figure]]]
    counts: Mapping[str, int]
    texts: list[dict[str, Any]]
    since: float
    cut: bool


def show(desk: Desk, ask: Ask) -> Shown:
    now = desk.now()
    words = ask.words
    if math.isnan(now):
        return Shown(template="feedback.html", values={"cards": [], "texts": [], "counts": {}})
    kept = desk.kept("feedback", _FRESH, lambda: _read(desk.store, desk.live.playbook.spec.feedback, now))
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


def _read(store: Store, scales: Feedback, now: float) -> _Read:
    found = newest_touchpoints(store, until=now, longest=_LONGEST, most=_MOST)
    rows = [row for row in found.rows if row.type in TYPES]
    weeks = {
        name: _by_week([r for r in rows if r.type == name], name, scales.scale(name), found.since, now)
        for name in SURVEYS
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


def _by_week(
    rows: list[TouchpointRow], survey: Survey, scale: Scale, since: float, now: float
) -> list[tuple[float, Figure]]:
    count = max(1, min(12, int((now - since) // WEEK)))
    starts = [now - WEEK * (count - i) for i in range(count)]
    weeks = [[row for row in rows if start <= row.occurred_at < start + WEEK] for start in starts]
    return [
        (start + WEEK, surveyed(survey, scale, [(row.surrogate, row.value) for row in week]))
        for start, week in zip(starts, weeks, strict=True)
    ]
