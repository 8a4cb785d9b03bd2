"""What customers said, read for the feedback page: the report's figures, and whose words came last.

The report counts customers and holds no word of theirs; the words are looked up anew for every page, so that
nobody who was erased is quoted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

from experiments.report.feedback.known import CONTACTS, Stood, heard_with
from experiments.report.feedback.report import FeedbackReport, report
from experiments.report.feedback.stored import said, text_of
from nba.errors import CorruptArtefact, NotFound
from nba.journey.events import NO_STEPS
from nba.journey.feedback.model import Readings, TextModel
from nba.journey.feedback.sealed import KIND, unseal_text_model
from nba.playbook.arms import NO_CONTACT
from nba.playbook.feedback import SURVEYS, Feedback
from nba.playbook.feedback import TEXTS as WITH_TEXT
from nba.staging import CHANGED
from nba.stores.ports import Publication, Store, TouchpointRow
from serving.console.desk import Desk
from serving.console.kpis import WEEK
from serving.console.reading import newest_draws, newest_touchpoints, standing

LONGEST, _MOST, _MOST_DRAWS = 26 * WEEK, 300_000, 150_000
MOST_TEXTS = 3_000  # read by the text model
_LATEST, _FRESH, _LONG = 20, 120.0, 3_600.0
_MOST_TYPES = 20  # of touchpoints, the commonest, that are looked at as drivers


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrote:
    """Who wrote something and when, without what."""

    surrogate: str
    type: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Listened:
    """Attributes:
    report: None where nothing was said.
    since: when the first of it was said; `cut` where the bound on rows left out what was said before.
    latest: the last to write, newest first.
    """

    report: FeedbackReport | None
    since: float
    cut: bool
    latest: Sequence[Wrote]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """The published text model, and what its artefact says of it; or why it can't be used."""

    publication: Publication
    model: TextModel | None
    figures: dict[str, Any]
    rows: int
    data_from: float | None
    data_to: float | None
    why_not: str


def reader(desk: Desk) -> Reader | None:
    """None where no text model is published."""
    publication = desk.store.serving().get(KIND)
    if publication is None or not publication.version:
        return None
    return desk.kept(("text model", publication.number), _LONG, lambda: _opened(desk, publication)).value


def _opened(desk: Desk, publication: Publication) -> Reader:
    empty: dict[str, Any] = {"figures": {}, "rows": 0, "data_from": None, "data_to": None}
    try:
        artefact = desk.source.artefacts.read(publication.version)
        model = unseal_text_model(artefact)
    except (NotFound, CorruptArtefact) as error:
        return Reader(publication=publication, model=None, why_not=error.detail, **empty)
    told = artefact.manifest
    return Reader(
        publication=publication,
        model=model,
        figures=told.parameters,
        rows=told.rows,
        data_from=told.data_from,
        data_to=told.data_to,
        why_not="",
    )


def listened(desk: Desk, now: float) -> tuple[Listened, float]:
    """What was said in the last half year, and when it was read."""
    opened = reader(desk)
    version = 0 if opened is None else opened.publication.number
    kept = desk.kept(("feedback", version), _FRESH, lambda: _listen(desk, now, opened))
    return kept.value, kept.at


def _listen(desk: Desk, now: float, opened: Reader | None) -> Listened:
    found = newest_touchpoints(desk.store, until=now, longest=LONGEST, most=_MOST)
    feedback = desk.live.playbook.spec.feedback
    answers, texts = said([found.rows])
    answers = answers.filter(_on_its_scale(answers, feedback))
    wrote = [row for row in reversed(found.rows) if row.type in WITH_TEXT and text_of(row.properties)]
    latest = [Wrote(surrogate=row.surrogate, type=row.type, at=row.occurred_at) for row in wrote[:_LATEST]]
    if answers.is_empty() and texts.is_empty():
        return Listened(report=None, since=found.since, cut=found.cut, latest=latest)
    drawn = newest_draws(desk.store, until=now, longest=now - found.since, most=_MOST_DRAWS)
    contacts = [
        (r.surrogate, r.decided_at) for r in drawn.rows if r.arm != NO_CONTACT and r.status == "active"
    ]
    heard = heard_with(
        answers,
        texts.tail(MOST_TEXTS),
        stood=[*_changes(found.rows), *_stood(desk, now)],
        happened={CONTACTS: _frame(contacts), **_happened(found.rows)},
        since=max(found.since, drawn.since),
    )
    made = report(
        heard,
        feedback,
        None if opened is None else opened.model,
        "" if opened is None else opened.publication.version,
        every="week",
    )
    first = min(at for at in (answers["at"].min(), texts["at"].min()) if isinstance(at, float))
    return Listened(report=made, since=first, cut=found.cut, latest=latest)


def _on_its_scale(answers: pl.DataFrame, feedback: Feedback) -> pl.Series:
    """Which answers are possible on today's scales: those of a playbook before may not be."""
    scales = {survey: feedback.scale(survey) for survey in SURVEYS}
    cells = answers.select("survey", "value").iter_rows()
    return pl.Series([scales[survey].has(value) for survey, value in cells], dtype=pl.Boolean)


def _stood(desk: Desk, now: float) -> list[Stood]:
    """By the newest decisions."""
    return [Stood(one.surrogate, one.at, one.stage, one.segment) for one in standing(desk, now)]


def _changes(rows: Sequence[TouchpointRow]) -> list[Stood]:
    """By the changes of stage: where they went, and where they had been."""
    found = []
    for row in rows:
        if row.type == CHANGED and row.properties:
            told = orjson.loads(row.properties)
            found.append(Stood(row.surrogate, row.occurred_at, told.get("to"), None))
            if isinstance(told.get("since"), float) and math.isfinite(told["since"]):
                found.append(Stood(row.surrogate, told["since"], told.get("from"), None))
    return found


def _happened(rows: Sequence[TouchpointRow]) -> dict[str, pl.DataFrame]:
    """Touchpoint type → when it happened to whom; the commonest types, and no answers to surveys."""
    by_type: dict[str, list[tuple[str, float]]] = {}
    for row in rows:
        if row.type not in (*NO_STEPS, *SURVEYS):
            by_type.setdefault(row.type, []).append((row.surrogate, row.occurred_at))
    commonest = sorted(by_type, key=lambda type: -len(by_type[type]))[:_MOST_TYPES]
    return {type: _frame(by_type[type]) for type in sorted(commonest)}


def _frame(cells: list[tuple[str, float]]) -> pl.DataFrame:
    return pl.DataFrame(cells, schema={"customer": pl.String, "at": pl.Float64}, orient="row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What somebody wrote, and what the text model makes of it.

    Attributes:
        read: whether the model applies; None without a model.
        sentiment, theme: None where it says nothing of it.
    """

    type: str
    at: float
    value: float
    customer_id: str | None
    text: str
    read: bool | None = None
    sentiment: str | None = None
    theme: str | None = None


def written(store: Store, latest: Sequence[Wrote], model: TextModel | None) -> list[Written]:
    """Their words as the store has them now, newest first; none of who was erased."""
    names = store.names([one.surrogate for one in latest])
    rows: dict[tuple[str, str, float], TouchpointRow] = {}
    for surrogate in dict.fromkeys(one.surrogate for one in latest if one.surrogate in names):
        own = [member.surrogate for member in store.known(names[surrogate])] or [surrogate]
        found = store.touchpoints_of(own, _LATEST, WITH_TEXT)
        rows |= {(surrogate, row.type, row.occurred_at): row for row in found if text_of(row.properties)}
    there = [(one, rows[key]) for one in latest if (key := (one.surrogate, one.type, one.at)) in rows]
    texts = [text_of(row.properties) or "" for _, row in there]
    said_of = None if model is None else model.read(texts)
    return [
        Written(
            type=row.type,
            at=row.occurred_at,
            value=row.value,
            customer_id=names.get(one.surrogate),
            text=texts[i],
            **_read(said_of, i),
        )
        for i, (one, row) in enumerate(there)
    ]


def _read(readings: Readings | None, i: int) -> dict[str, Any]:
    if readings is None:
        return {}
    return {
        "read": bool(readings.applies[i]),
        "sentiment": readings.sentiment[i],
        "theme": readings.theme[i],
    }
