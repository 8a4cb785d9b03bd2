"""Where customers stand: the stages of those who were decided for lately, and personas where there are."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import orjson

from nba.errors import CorruptArtefact, NotFound
from nba.stores.ports import DecisionRow
from serving.console.charts import bars
from serving.console.desk import Ask, Desk, Shown
from serving.console.reading import newest_decisions

_MOST, _FRESH = 10_000, 120.0


def show(desk: Desk, ask: Ask) -> Shown:
    now = desk.now()
    personas = desk.kept("personas", _FRESH, lambda: _personas(desk)).value
    if math.isnan(now):
        nothing = {"stages": [], "chart": "", "customers": 0, "personas": personas}
        return Shown(template="segments.html", values=nothing)
    kept = desk.kept("stages", _FRESH, lambda: _stages(desk, now))
    stages, customers = kept.value
    words = ask.words
    chart = bars(
        words("Customers by stage"),
        [(row["stage"], row["customers"] / max(customers, 1)) for row in stages],
        lambda share: words.percent(share),
    )
    values = {"stages": stages, "chart": chart, "customers": customers, "personas": personas}
    return Shown(template="segments.html", values=values, at=kept.at)


def _personas(desk: Desk) -> dict[str, Any] | None:
    """What the published segments say of themselves; None where none are published, or can't be read."""
    publication = desk.store.serving().get("segments")
    if publication is None or not publication.version:
        return None
    try:
        manifest = desk.source.artefacts.read(publication.version).manifest
    except (NotFound, CorruptArtefact):  # the server tells of it where it serves
        return None
    told = manifest.parameters
    return {**told, "published_at": publication.published_at} if told.get("segments") else None


def _stages(desk: Desk, now: float) -> tuple[list[dict[str, Any]], int]:
    """A row a stage of the playbook, by each customer's latest decision; and how many customers."""
    latest: dict[str, dict[str, Any]] = {}
    for row in newest_decisions(desk.store, until=now, most=_MOST):
        if row.body:
            latest[row.surrogate] = _told(row)
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in latest.values():
        groups[one["stage"] or ""].append(one)
    names = [stage.name for stage in desk.live.playbook.spec.stages]
    order = [*names, *sorted(set(groups) - set(names))]
    rows = [_row(name, groups[name]) for name in order if name in groups or name in names]
    return rows, len(latest)


def _told(row: DecisionRow) -> dict[str, Any]:
    answer = orjson.loads(row.body)
    return {
        "stage": answer.get("stage"),
        "contact": row.channel is not None,
        "churn": answer.get("scores", {}).get("churn"),
        "purchase": answer.get("scores", {}).get("purchase"),
    }


def _row(name: str, members: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "stage": name or "–",
        "customers": len(members),
        "contacted": _mean([float(one["contact"]) for one in members]),
        "churn": _mean([one["churn"] for one in members if one["churn"] is not None]),
        "purchase": _mean([one["purchase"] for one in members if one["purchase"] is not None]),
    }


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
