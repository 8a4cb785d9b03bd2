"""The journey map of the newest touchpoints: the picture, and the same as tables."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl
from markupsafe import Markup

from nba.errors import NotEnoughData
from nba.journey import page, picture
from nba.journey.events import NO_STEPS, Events
from nba.journey.map import Asked, draw_map
from nba.rewards.reward import worth
from serving.console.desk import Ask, Desk, Shown
from serving.console.reading import DAY, newest_touchpoints

_MOST, _FRESH, _LONGEST = 200_000, 300.0, 92 * DAY
_TOUCHED = {"case": pl.String, "type": pl.String, "at": pl.Float64, "value": pl.Float64}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    picture: Markup
    said: str
    tables: list[tuple[str, tuple[page.Cells, list[page.Cells]]]]
    since: float
    until: float


def show(desk: Desk, ask: Ask) -> Shown:
    now = desk.now()
    if math.isnan(now):
        return Shown(template="journey.html", values={"drawn": None, "why": None})
    kept = desk.kept("journey", _FRESH, lambda: _draw(desk, now))
    found = kept.value
    values = {"drawn": None, "why": found} if isinstance(found, str) else {"drawn": found, "why": None}
    return Shown(template="journey.html", values=values, at=kept.at)


def _draw(desk: Desk, now: float) -> _Drawn | str:
    """The map, or why there is none."""
    found = newest_touchpoints(desk.store, until=now, longest=_LONGEST, most=_MOST)
    cells = [(r.surrogate, r.type, r.occurred_at, r.value) for r in found.rows if r.type not in NO_STEPS]
    frame = pl.DataFrame(cells, schema=_TOUCHED, orient="row").select(
        "case",
        step=pl.col("type"),
        time=(pl.col("at") * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us", "UTC")),
        value=worth(desk.live.playbook.spec.objectives),
    )
    try:
        drawn = draw_map(Events.of(frame), Asked(currency=desk.live.playbook.spec.currency))
    except NotEnoughData as error:
        return error.detail
    tables = [
        ("Where more stop than usual", page.point_rows(drawn.pains)),
        ("Steps", page.step_rows(drawn)),
        ("Bottlenecks", page.wait_rows(drawn.pains)),
        ("Transitions", page.edge_rows(drawn)),
        ("Frequent variants", page.variant_rows(drawn)),
    ]
    return _Drawn(
        picture=Markup(picture.svg(drawn, "Journey map")),
        said=picture.in_words(drawn),
        tables=[(title, table) for title, table in tables if table[1]],
        since=drawn.since,
        until=drawn.until,
    )
