"""The journey map: steps, transitions, variants, where it hurts, and the funnel that was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import polars as pl

from nba.errors import NotEnoughData
from nba.journey import transitions
from nba.journey.events import MICROSECONDS, Events
from nba.journey.funnel import Funnel, funnel
from nba.journey.pain import Pain, Pains, pains
from nba.model import timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a map beside the transitions.

    Attributes:
        goal: the step that journeys are for.
        patience: seconds without an event after which a case has stopped.
        start, end, window: the funnel's steps, and its seconds.
        level: of the intervals.
        currency: what values are counted in, where it is known.
        until: epoch seconds until which was watched; the last event by default.
        ends: steps that journeys are for anyway, where no goal is given.
    """

    goal: str | None = None
    patience: float | None = None
    start: str | None = None
    end: str | None = None
    window: float | None = None
    level: float = 0.95
    currency: str | None = None
    until: float | None = None
    ends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JourneyMap:
    """A map.

    Attributes:
        cases, events: how many; since, until: the first and last event, epoch seconds.
        steps, edges, variants: the frames of `transitions`, variants cut to MOST_VARIANTS.
        variants_cut: (variants, cases) that the cut left out.
        pains: where it hurts.
        funnel: what was asked for, or why it can't be told.
        left_out: why rows of the table were left out, and how many.
        parts: the maps of the parts by name, where it was split.
    """

    cases: int
    events: int
    since: float
    until: float
    steps: pl.DataFrame
    edges: pl.DataFrame
    variants: pl.DataFrame
    variants_cut: tuple[int, int]
    pains: Pains
    funnel: Funnel | NotEnoughData | None
    left_out: Mapping[str, int]
    split_by: str | None = None
    parts: Mapping[str, JourneyMap] = field(default_factory=dict)


def draw_map(
    events: Events,
    asked: Asked,
    *,
    split_by: str | None = None,
    parts: Sequence[tuple[str, Events]] = (),
) -> JourneyMap:
    """Map journeys, and each part of them likewise.

    Raises:
        InvalidInput: a step that is not there, or an option that is none.
    """
    end = max(int(events.at.max()), int((asked.until or 0.0) * MICROSECONDS))
    found = {name: _map(part, asked, end, events.left_out, {}, None) for name, part in parts}
    return _map(events, asked, end, events.left_out, found, split_by)


def _map(
    events: Events,
    asked: Asked,
    end: int,
    left_out: Mapping[str, int],
    parts: Mapping[str, JourneyMap],
    split_by: str | None,
) -> JourneyMap:
    variants = transitions.variants(events)
    kept = variants.head(transitions.MOST_VARIANTS)
    cut = variants.slice(transitions.MOST_VARIANTS)
    return JourneyMap(
        cases=events.cases,
        events=len(events),
        since=float(events.at.min() / 1e6),
        until=float(events.at.max() / 1e6),
        steps=transitions.steps(events),
        edges=transitions.edges(events),
        variants=kept,
        variants_cut=(cut.height, int(cut["count"].sum())),
        pains=_pains(events, asked, end),
        funnel=_funnel(events, asked, end),
        left_out=left_out,
        split_by=split_by,
        parts=parts,
    )


def _pains(events: Events, asked: Asked, end: int) -> Pains:
    found = pains(events, asked.goal, asked.patience, asked.level, end=end, ends=asked.ends)
    in_currency = events.value is not None and asked.currency is not None
    return replace(found, unit=str(asked.currency)) if in_currency else found


def _funnel(events: Events, asked: Asked, end: int) -> Funnel | NotEnoughData | None:
    if asked.start is None or asked.end is None:
        return None
    try:
        return funnel(events, asked.start, asked.end, asked.window, asked.level, end)
    except NotEnoughData as error:
        return error


def as_json(found: JourneyMap) -> dict[str, Any]:
    """The whole map for machines; the frames' columns are the fields."""
    document: dict[str, Any] = {
        "cases": found.cases,
        "events": found.events,
        "since": timestamp(found.since),
        "until": timestamp(found.until),
        "left_out": dict(found.left_out),
        "steps": found.steps.to_dicts(),
        "edges": found.edges.to_dicts(),
        "variants": found.variants.to_dicts(),
        "variants_left_out": {"variants": found.variants_cut[0], "cases": found.variants_cut[1]},
        "lost_value_in": found.pains.unit,
        "level": found.pains.level,
        "pain_points": [_pain(pain) for pain in found.pains.points],
        "stops_not_judged": list(found.pains.unjudged),
        "journeys_are_for": list(found.pains.ends),
        "bottlenecks": [_pain(pain) for pain in found.pains.bottlenecks],
    }
    if isinstance(found.funnel, Funnel):
        document["funnel"] = asdict(found.funnel)
    elif found.funnel is not None:
        document["funnel"] = {"missing": found.funnel.detail, **found.funnel.figures}
    if found.split_by is not None:
        document["split"] = {
            "by": found.split_by,
            "parts": [{"part": name, **as_json(part)} for name, part in found.parts.items()],
        }
    return document


def _pain(pain: Pain) -> dict[str, Any]:
    place = {"step": pain.start} if pain.goal is None else {"from": pain.start, "to": pain.goal}
    told: dict[str, Any] = {
        **place,
        "units": pain.units,
        "hits": pain.hits,
        "usual": pain.usual,
        "value_without": pain.without,
        "value_with": pain.with_hit,
        "lost_value": pain.lost.value,
        "low": pain.lost.low,
        "high": pain.lost.high,
    }
    if pain.waited is not None:
        waited = pain.waited
        told |= {"waited_seconds": waited.value, "waited_low": waited.low, "waited_high": waited.high}
    return told


def frames(found: JourneyMap) -> dict[str, pl.DataFrame]:
    """The same as tables: steps, edges, variants, pains; of the whole (part null) and of every part."""
    tables: dict[str, list[pl.DataFrame]] = {}
    for name, part in ((None, found), *found.parts.items()):
        places = [_pain(pain) for pain in (*part.pains.points, *part.pains.bottlenecks)]
        told = pl.DataFrame(places, schema=_PAINS)
        own = {"steps": part.steps, "edges": part.edges, "variants": part.variants, "pains": told}
        for table, frame in own.items():
            tables.setdefault(table, []).append(frame.select(pl.lit(name, pl.String).alias("part"), pl.all()))
    return {table: pl.concat(rows) for table, rows in tables.items()}


_PAINS = {
    **dict.fromkeys(("step", "from", "to"), pl.String),
    **dict.fromkeys(("units", "hits"), pl.Int64),
    **dict.fromkeys(
        (
            "usual",
            "value_without",
            "value_with",
            "lost_value",
            "low",
            "high",
            "waited_seconds",
            "waited_low",
            "waited_high",
        ),
        pl.Float64,
    ),
}
