"""Where customers stand: the stages of those who were decided for lately, and personas where there are."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from nba.errors import CorruptArtefact, NotFound
from nba.journey.segments import KIND
from serving.console.charts import bars
from serving.console.desk import Ask, Desk, Shown
from serving.console.reading import Standing, standing

_FRESH = 120.0


def show(desk: Desk, ask: Ask) -> Shown:
    now, words = desk.now(), ask.words
    personas = desk.kept("personas", _FRESH, lambda: _personas(desk)).value
    values: dict[str, Any] = {"personas": personas, "unfit": _unfit(desk), "stages": [], "customers": 0}
    if personas is not None:
        title = words("Customers by segment")
        shares = [(one["name"], one["share"]) for one in personas["segments"]]
        values["sizes"] = bars(title, shares, words.percent)
    if math.isnan(now):
        return Shown(template="segments.html", values=values)
    kept = desk.kept("stages", _FRESH, lambda: _stages(desk, now))
    stages, customers = kept.value
    chart = bars(
        words("Customers by stage"),
        [(row["stage"], row["customers"] / max(customers, 1)) for row in stages],
        words.percent,
    )
    values |= {"stages": stages, "chart": chart, "customers": customers}
    return Shown(template="segments.html", values=values, at=kept.at)


def _unfit(desk: Desk) -> dict[str, Any] | None:
    """Why the published segments are not in use, and since when earlier ones are; None where they are."""
    why = desk.live.refused.get(KIND)
    if why is None:
        return None
    used = desk.live.segments_publication
    return {"why": why, "since": None if used is None else used.published_at}


def _personas(desk: Desk) -> dict[str, Any] | None:
    """What the segments in use say of themselves, else those that are published and refused; None where there
    are none, or they can't be read."""
    publication = desk.live.segments_publication or desk.store.serving().get(KIND)
    if publication is None or not publication.version:
        return None
    try:
        manifest = desk.source.artefacts.read(publication.version).manifest
    except (NotFound, CorruptArtefact):  # the page says so by `refused`
        return None
    told = manifest.parameters
    return {**told, "published_at": publication.published_at} if told.get("segments") else None


def _stages(desk: Desk, now: float) -> tuple[list[dict[str, Any]], int]:
    """A row a stage of the playbook, by each customer's latest decision; and how many customers."""
    latest = {one.surrogate: one for one in standing(desk, now)}
    groups: dict[str, list[Standing]] = defaultdict(list)
    for one in latest.values():
        groups[one.stage or ""].append(one)
    names = [stage.name for stage in desk.live.playbook.spec.stages]
    order = [*names, *sorted(set(groups) - set(names))]
    rows = [_row(name, groups[name]) for name in order if name in groups or name in names]
    return rows, len(latest)


def _row(name: str, members: list[Standing]) -> dict[str, Any]:
    return {
        "stage": name or "–",
        "customers": len(members),
        "contacted": _mean([float(one.contact) for one in members]),
        "churn": _mean([one.churn for one in members if one.churn is not None]),
        "purchase": _mean([one.purchase for one in members if one.purchase is not None]),
    }


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
