"""The journey map of the newest touchpoints: the picture, and the same as tables."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from nba.errors import NotEnoughData
from nba.journey import picture
from nba.journey.events import BECAUSE, NO_STEPS, Events
from nba.journey.map import Asked, JourneyMap, draw_map
from nba.rewards.outcomes import main_outcome, worth
from serving.console import mapped
from serving.console.desk import Ask, Desk, Shown
from serving.console.reading import DAY, newest_touchpoints
from serving.console.words import Words

_MOST, _FRESH, _LONGEST = 200_000, 300.0, 92 * DAY
_TOUCHED = {"case": pl.String, "type": pl.String, "at": pl.Float64, "value": pl.Float64}


def show(desk: Desk, ask: Ask) -> Shown:
    now, words = desk.now(), ask.words
    if math.isnan(now):
        return Shown(template="journey.html", values={"picture": None, "why": None})
    kept = desk.kept("journey", _FRESH, lambda: _drawn(desk, now))
    found = kept.value
    if isinstance(found, str):
        return Shown(template="journey.html", values={"picture": None, "why": found}, at=kept.at)
    key = ("journey", words.language, kept.at)
    values = desk.kept(key, _FRESH, lambda: _shown(found, words)).value
    return Shown(template="journey.html", values=values, at=kept.at)


def _shown(found: JourneyMap, words: Words) -> dict[str, Any]:
    """The map in a language."""
    return {
        "picture": mapped.drawn(found, words),
        "said": picture.in_words(found, mapped.speech(words)),
        "tables": mapped.tables(found, words),
        "since": found.since,
        "until": found.until,
    }


def _drawn(desk: Desk, now: float) -> JourneyMap | str:
    """The map, or why there is none."""
    spec = desk.live.playbook.spec
    found = newest_touchpoints(desk.store, until=now, longest=_LONGEST, most=_MOST)
    rows = sorted(found.rows, key=lambda row: (row.occurred_at, row.type in BECAUSE))
    cells = [(r.surrogate, r.type, r.occurred_at, r.value) for r in rows if r.type not in NO_STEPS]
    frame = pl.DataFrame(cells, schema=_TOUCHED, orient="row").select(
        "case",
        step=pl.col("type"),
        time=(pl.col("at") * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us", "UTC")),
        value=worth(spec.objectives),
    )
    try:
        asked = Asked(currency=spec.currency, ends=(main_outcome(spec.objectives),))
        return draw_map(Events.of(frame), asked)
    except NotEnoughData as error:
        return error.detail
