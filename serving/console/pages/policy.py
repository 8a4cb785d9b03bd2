"""What serves and since when, whether it is healthy, and what the gate last said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson

from nba.model import timestamp
from nba.stores.ports import NoteRow, Store
from serving.console.charts import Point, line
from serving.console.desk import Ask, Desk, Shown
from serving.console.words import Words
from serving.standing import serving_now

_FRESH, _AUDIT, _ATTEMPTS = 10.0, 25, 8
_WATCHED = ("reward", "value_calibration", "calibration", "entropy", "no_good_arm")
_REPORTS = 60
CHECKS = {
    "psi": "spread of a feature",
    "missing": "missing values",
    "entropy": "evenness of the odds",
    "reward": "reward",
    "calibration": "calibration of a score",
    "value_calibration": "calibration of the value",
    "no_good_arm": "no good arm",
    "starved": "draws of an arm",
    "outcomes": "outcomes",
}


def show(desk: Desk, ask: Ask) -> Shown:
    kept = desk.kept("policy", _FRESH, lambda: _read(desk.store))
    audit, health, attempts, quarantines = kept.value
    now = desk.now()
    values = {
        "serves": serving_now(desk.live, None if math.isnan(now) else now),
        "fallback": desk.live.fallback,
        "refused": desk.live.refused,
        "audit": [_entry(publication) for publication in reversed(audit[-_AUDIT:])],
        "health": health[-1] if health else None,
        "breached": [c for c in health[-1]["checks"] if c["breached"]] if health else [],
        "kinds": _kinds(health[-1]["checks"], ask.words) if health else [],
        "charts": _charts(health, ask.words),
        "attempts": [_attempt(note) for note in reversed(attempts)],
        "quarantines": quarantines,
        "check_names": CHECKS,
        "guardrails": [
            (
                rail.name,
                rail.count,
                ask.words.time(rail.within),
                ask.words.percent(rail.most),
                ask.words.percent(rail.rise),
            )
            for rail in desk.live.playbook.spec.promotion.guardrails
        ],
        "ramp": desk.live.playbook.spec.promotion.ramp,
    }
    return Shown(template="policy.html", values=values, at=kept.at)


def _read(store: Store) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    health = [orjson.loads(note.body) for note in _last(store, "health", _REPORTS)]
    attempts = [{**orjson.loads(note.body), "at": note.at} for note in _last(store, "attempt", _ATTEMPTS)]
    latest: dict[tuple[str, float], Any] = {}
    for note in _last(store, "quarantine", 500):
        told = orjson.loads(note.body)
        latest[told["type"], told["start"]] = told
    return store.audit(), health, attempts, [q for q in latest.values() if not q["lifted"]]


def _last(store: Store, kind: str, most: int) -> list[NoteRow]:
    """The newest notes of a kind, oldest first."""
    found: list[NoteRow] = []
    while rows := store.notes(kind, after=found[-1].number if found else 0):
        found = [*found, *rows][-most:]
    return found


def _kinds(checks: list[Any], words: Words) -> list[tuple[str, int, int]]:
    """Check → how many were made, how many are out of bounds."""
    names = dict.fromkeys(check["name"] for check in checks)
    of = {name: [check for check in checks if check["name"] == name] for name in names}
    return [
        (words(CHECKS.get(name, name)), len(found), sum(check["breached"] for check in found))
        for name, found in of.items()
    ]


def _entry(publication: Any) -> dict[str, Any]:
    return {
        "number": publication.number,
        "kind": publication.kind,
        "name": publication.name if publication.version else "fallback",
        "at": timestamp(publication.published_at),
        "who": publication.who,
        "why": publication.why,
        "share": publication.share,
    }


def _attempt(told: Mapping[str, Any]) -> dict[str, Any]:
    """An attempt, with its figures where the data could carry them."""
    difference = told.get("difference") or {}
    return {
        "at": told["at"],
        "name": told.get("specification", ""),
        "against": told.get("against", ""),
        "rule": told.get("rule", ""),
        "promoted": told.get("promoted"),
        "reason": told.get("reason", ""),
        "low": difference.get("low"),
        "high": difference.get("high"),
        "value": difference.get("value"),
        "guardrails": told.get("guardrails") or [],
    }


def _charts(health: list[Any], words: Words) -> list[dict[str, Any]]:
    """Each watched check by report, as a share of its bound: beyond 1 it is out of it."""
    series: dict[str, list[tuple[float, float | None]]] = {}
    for report in health:
        for check in report["checks"]:
            if check["name"] in _WATCHED and check["threshold"] > 0:
                kind = words(CHECKS[check["name"]])
                name = f"{kind}: {check['subject']}" if check["subject"] else kind
                series.setdefault(name, []).append((report["as_of"], check["value"] / check["threshold"]))
    charts = []
    for name, found in series.items():
        if len(found) < 2:
            continue
        points = [Point(label=words.short_day(at), value=share) for at, share in found]
        charts.append(
            {
                "title": name,
                "chart": line(name, points, lambda share: words.percent(share, 0)),
                "rows": [(words.day(at), words.percent(share, 0)) for at, share in found],
            }
        )
    return charts
