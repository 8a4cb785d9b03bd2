"""What customers say: scores with intervals that count customers, what sets the unhappy apart, and words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from experiments.report.feedback.drivers import Driver, Drivers
from experiments.report.feedback.heard import NOT_KNOWN
from experiments.report.feedback.known import CONTACTS
from experiments.report.feedback.report import FeedbackReport, Part, Surveyed
from experiments.report.feedback.score import Score
from experiments.report.feedback.themes import Theme
from nba.errors import NotEnoughData
from nba.journey.feedback.model import SENTIMENT, THEME
from serving.console.charts import Point, bars, intervals, line
from serving.console.desk import Ask, Desk, Shown
from serving.console.hearing import MOST_TEXTS, Reader, Written, listened, reader, written
from serving.console.words import Words

_WEEKS = 26
_MOST_DRIVERS, _SHOWN = 8, 260
_TITLES = {"nps": "NPS", "csat": "Satisfaction (CSAT)", "ces": "Effort (CES)"}
_SPLITS = {"stage": "By stage", "segment": "By segment", "channel": "By channel"}
_SIZES = {"negligible": "negligible", "small": "small", "medium": "medium", "large": "large"}
_HEADS = {SENTIMENT: "Sentiment", THEME: "Theme"}


def show(desk: Desk, ask: Ask) -> Shown:
    now, words = desk.now(), ask.words
    if math.isnan(now):
        return Shown(template="feedback.html", values={"report": None})
    found, at = listened(desk, now)
    if found.report is None:
        return Shown(template="feedback.html", values={"report": None}, at=at)
    opened = reader(desk)
    values = {
        "report": found.report,
        "since": found.since,
        "cut": found.cut,
        "surveys": [_survey(one, words) for one in found.report.surveys],
        "drivers": _drivers(found.report, words),
        "themes": _themes(found.report, words),
        "most_texts": MOST_TEXTS,
        "reader": None if opened is None else _card(opened, words),
        "texts": [
            _clipped(one)
            for one in written(desk.store, found.latest, None if opened is None else opened.model)
        ],
    }
    return Shown(template="feedback.html", values=values, at=at)


def _survey(found: Surveyed, words: Words) -> dict[str, Any]:
    title, digits = words(_TITLES[found.survey]), 0 if found.survey == "nps" else 2
    total = found.total

    def told(value: float) -> str:
        return words.number(value, digits)

    weeks = [part for part in found.by.get("week", ()) if part.name != NOT_KNOWN][-_WEEKS:]
    points = [_point(part, words) for part in weeks]
    return {
        "survey": found.survey,
        "title": title,
        "value": None if isinstance(total, NotEnoughData) else told(total.value),
        "interval": "" if isinstance(total, NotEnoughData) else _span(total.low, total.high, told, words),
        "answers": 0 if isinstance(total, NotEnoughData) else total.answers,
        "customers": 0 if isinstance(total, NotEnoughData) else total.customers,
        "chart": line(title, points, told) if sum(p.value is not None for p in points) > 1 else "",
        "weeks": [(_week(part.name, words), *_cells(part, told, words)) for part in weeks],
        "splits": [_split(name, found, told, words) for name in _SPLITS if found.by.get(name)],
    }


def _split(name: str, found: Surveyed, told: Callable[[float], str], words: Words) -> dict[str, Any]:
    parts = sorted(found.by[name], key=lambda part: part.name == NOT_KNOWN)
    named = [(words("not known") if part.name == NOT_KNOWN else part.name, part) for part in parts]
    title = f"{words(_TITLES[found.survey])}: {words(_SPLITS[name])}"
    drawn = [
        (text, part.score.value, part.score.low, part.score.high)
        for text, part in named
        if isinstance(part.score, Score)
    ]
    return {
        "title": title,
        "chart": intervals(title, drawn, told, 0.0 if found.survey == "nps" else None),
        "rows": [(text, *_cells(part, told, words)) for text, part in named],
    }


def _cells(part: Part, told: Callable[[float], str], words: Words) -> tuple[str, ...]:
    """Figure with its interval, answers, customers, shares of the unhappy and the happy."""
    found = part.score
    if isinstance(found, NotEnoughData):
        return (words("too few customers"), "", words.number(found.figures.get("customers")), "", "")
    return (
        f"{told(found.value)} ({_span(found.low, found.high, told, words)})",
        words.number(found.answers),
        words.number(found.customers),
        words.percent(found.unhappy),
        words.percent(found.happy),
    )


def _span(low: float, high: float, told: Callable[[float], str], words: Words) -> str:
    return words("{low} to {high}", low=told(low), high=told(high))


def _point(part: Part, words: Words) -> Point:
    label = words.short_day(_monday(part.name))
    if isinstance(part.score, NotEnoughData):
        return Point(label=label, value=None)
    return Point(label=label, value=part.score.value, low=part.score.low, high=part.score.high)


def _week(name: str, words: Words) -> str:
    return words.day(_monday(name))


def _monday(week: str) -> float:
    """`2026-W11` → its first noon UTC, which is the same day wherever the company is."""
    return datetime.strptime(f"{week}-1 12", "%G-W%V-%u %H").replace(tzinfo=UTC).timestamp()


def _clipped(one: Written) -> dict[str, Any]:
    """A text and, where it is long, its beginning."""
    whole = one.text.strip()
    cut = whole.rfind(" ", 0, _SHOWN) if len(whole) > _SHOWN + 60 else -1
    return {
        "one": one,
        "begin": whole if cut < 0 else f"{whole[:cut]} …",
        "whole": None if cut < 0 else whole,
    }


def _drivers(report: FeedbackReport, words: Words) -> dict[str, Any] | None:
    found = report.drivers
    if found is None or report.driven is None:
        return None
    title = words(
        "What the unhappy of {survey} have more of (right) or less (left)", survey=report.driven.upper()
    )
    if isinstance(found, NotEnoughData):
        return {"title": title, "said": True, "figures": found.figures}
    out = {driver.name for driver in found.standing_out}
    listed = sorted(found.found, key=lambda driver: driver.name not in out)[:_MOST_DRIVERS]
    drawn = [(fact_said(one.name, words), one.delta, one.low, one.high) for one in listed]
    return {
        "title": title,
        "said": False,
        "chart": intervals(title, drawn, lambda value: words.number(value, 2)),
        "rows": [_driver(one, found, words) for one in listed],
        "standing": len(out),
        "count": len(found.found),
    }


def fact_said(name: str, words: Words) -> str:
    """A fact's name in the reader's language, the playbook's own names as they are."""
    if name.endswith(" of late"):
        told = name.removesuffix(" of late")
        return words("{name} in the 30 days before", name=words("Contacts") if told == CONTACTS else told)
    if name.startswith("writes about "):
        return words("writes about {theme}", theme=name.removeprefix("writes about "))
    split, is_, group = name.partition(" is ")
    kinds = {"stage": words("Stage"), "segment": words("Segment"), "channel": words("Channel")}
    return f"{kinds[split]}: {group}" if is_ and split in kinds else name


def _driver(one: Driver, found: Drivers, words: Words) -> tuple[str, ...]:
    say: Callable[[float], str] = words.percent if one.yes_or_no else lambda value: words.number(value, 1)
    return (
        fact_said(one.name, words),
        say(one.unhappy),
        say(one.others),
        f"{words.signed(one.delta, 2)} ({words(_SIZES[one.size])})",
        words("{low} to {high}", low=words.signed(one.low, 2), high=words.signed(one.high, 2)),
        words("yes") if one.adjusted <= 1 - found.level else words("no"),
        words.number(one.customers),
    )


def _themes(report: FeedbackReport, words: Words) -> dict[str, Any] | None:
    told = report.texts
    if not told.texts or told.total is None:
        return {"texts": told.texts, "unread": told.texts, "rows": [], "chart": ""} if told.texts else None
    title = words("Share of texts that sound negative")
    themes = [*told.themes, told.total] if told.themes else [told.total]
    return {
        "texts": told.texts,
        "unread": told.texts - told.read,
        "chart": bars(title, [(_about(t, words), t.negative) for t in themes], words.percent),
        "rows": [_theme(theme, words) for theme in themes],
        "answered": (report.driven or "").upper(),
    }


def _about(theme: Theme, words: Words) -> str:
    return words("all that were read") if theme.name is None else theme.name


def _theme(theme: Theme, words: Words) -> tuple[str, ...]:
    mean = theme.sentiment
    sentiment = words("too few customers")
    if not isinstance(mean, NotEnoughData):
        ends = words("{low} to {high}", low=words.signed(mean.low, 2), high=words.signed(mean.high, 2))
        sentiment = f"{words.signed(mean.value, 2)} ({ends})"
    near = (
        "" if theme.answered is None else f"{words.number(theme.answered, 1)} ({words.number(theme.answers)})"
    )
    return (
        _about(theme, words),
        words.number(theme.texts),
        words.number(theme.customers),
        words.percent(theme.negative),
        sentiment,
        near,
    )


def _card(found: Reader, words: Words) -> dict[str, Any]:
    model = found.model
    return {
        "why_not": found.why_not,
        "language": "" if model is None else words.language_name(model.language.name),
        "least": "" if model is None else words.percent(model.language.least, 0),
        "known": "" if model is None else words.number(len(model.language.known)),
        "trained_at": found.publication.published_at,
        "rows": words.number(found.rows),
        "data_from": found.data_from,
        "data_to": found.data_to,
        "figures": _figures(found.figures, words),
    }


def _figures(told: Mapping[str, Any], words: Words) -> Sequence[tuple[str, ...]]:
    """A row a question that the model answers: on rows held out, beside always the commonest answer."""
    rows = []
    for name, title in _HEADS.items():
        one = told.get(name)
        if not isinstance(one, Mapping):
            continue
        for figure, text in (("accuracy", words("right answers")), ("macro_f1", words("F1, classes alike"))):
            ends = words(
                "{low} to {high}",
                low=words.number(one[f"{figure}_low"], 3),
                high=words.number(one[f"{figure}_high"], 3),
            )
            own = f"{words.number(one[figure], 3)} ({ends})"
            rows.append((words(title), text, own, words.number(one[f"base_{figure}"], 3)))
    return rows
