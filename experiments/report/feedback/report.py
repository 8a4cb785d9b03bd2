"""The feedback report as plain values: scores by stage, segment and time; themes; drivers of detraction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from experiments.report.feedback.drivers import Driver, Drivers, drivers
from experiments.report.feedback.heard import NOT_KNOWN, Heard, periods
from experiments.report.feedback.score import Score, score
from experiments.report.feedback.themes import Theme, Told, told
from nba.errors import InvalidInput, NotEnoughData
from nba.journey.feedback.model import TextModel
from nba.playbook.feedback import SURVEYS, Feedback, Survey

MOST_PARTS = 60  # of one split: what has more is no split of customers into groups
NOTES = (
    "Intervals count customers, not answers. Each holds by itself; among many groups one in twenty misses.",
    "Who answers a survey is not who was asked: what holds for answers need not hold for all customers.",
)
NO_CAUSE = (
    "This says what unhappy customers have more often, not what made them unhappy. Of {count} facts looked "
    "at, {standing} stand out once all are taken together (Holm); intervals hold together at {level:g} %."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Answers of one group; `score` or why there is none."""

    name: str
    score: Score | NotEnoughData


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """One survey: over all, and by each split, groups in order of their name or time."""

    survey: Survey
    total: Score | NotEnoughData
    by: Mapping[str, tuple[Part, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackReport:
    """All of it.

    Attributes:
        driven: the survey whose unhappy answers `drivers` compares with the others; None without answers.
        model: the text model's version; empty without one, and then `texts` only counts.
    """

    level: float
    surveys: tuple[Surveyed, ...]
    driven: Survey | None
    drivers: Drivers | NotEnoughData | None
    texts: Told
    model: str
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "level": self.level,
            "surveys": {s.survey: _survey(s) for s in self.surveys},
            "drivers": _drivers(self.driven, self.drivers),
            "texts": {
                "texts": self.texts.texts,
                "read": self.texts.read,
                "model": self.model or None,
                "total": None if self.texts.total is None else _theme(self.texts.total),
                "themes": [_theme(theme) for theme in self.texts.themes],
            },
            "notes": list(self.notes),
        }


def report(
    heard: Heard,
    feedback: Feedback,
    model: TextModel | None = None,
    version: str = "",
    *,
    driven: Survey | None = None,
    every: str = "month",
    level: float = 0.95,
) -> FeedbackReport:
    """Put it together.

    Args:
        driven: of which survey drivers are looked for; default the one with the most answers.
        every: `week` or `month`.

    Raises:
        InvalidInput: nothing was heard, or the level.
    """
    if not 0.5 < level < 1:
        raise InvalidInput.of("level", "must be above 0.5 and below 1, such as 0.95")
    if heard.answers.is_empty() and heard.texts.is_empty():
        raise InvalidInput.of(
            "feedback", "there is none: send events of type nps, csat, ces, review, comment or complaint"
        )
    counts = dict(heard.answers["survey"].value_counts().iter_rows())
    asked = [survey for survey in SURVEYS if counts.get(survey)]
    chosen = driven or max(asked, key=lambda survey: counts[survey], default=None)
    texts, facts = _texts(heard, model, chosen, level)
    return FeedbackReport(
        level=level,
        surveys=tuple(_surveyed(survey, heard, feedback, every, level) for survey in asked),
        driven=chosen,
        drivers=None if chosen is None else _compared(chosen, heard, feedback, facts, level),
        texts=texts,
        model=version if model is not None else "",
        notes=(*NOTES, *_unsplit(heard), *_notes(heard, model, texts)),
    )


def _surveyed(survey: Survey, heard: Heard, feedback: Feedback, every: str, level: float) -> Surveyed:
    rows = (heard.answers["survey"] == survey).to_numpy()
    own = heard.answers.filter(pl.Series(rows))
    splits = {name: values.filter(pl.Series(rows)) for name, values in heard.splits.items()}
    if own["at"].null_count() < len(own):
        splits[every] = periods(own["at"], every)
    value, customer = own["value"].to_numpy(), own["customer"].to_numpy()

    def scored(held: np.ndarray[Any, np.dtype[np.bool_]]) -> Score | NotEnoughData:
        try:
            return score(survey, feedback.scale(survey), value[held], customer[held], level)
        except NotEnoughData as error:
            return error

    by = {}
    for name, values in splits.items():
        parts = values.fill_null(NOT_KNOWN).unique().sort().to_list()
        if 1 < len(parts) <= MOST_PARTS or name == every:
            held = values.fill_null(NOT_KNOWN)
            by[name] = tuple(Part(name=part, score=scored((held == part).to_numpy())) for part in parts)
    return Surveyed(survey=survey, total=scored(np.ones(len(own), dtype=np.bool_)), by=by)


def _compared(
    survey: Survey, heard: Heard, feedback: Feedback, facts: Mapping[str, Any], level: float
) -> Drivers | NotEnoughData:
    rows = (heard.answers["survey"] == survey).to_numpy()
    unhappy = heard.answers["value"].to_numpy()[rows] <= feedback.scale(survey).unhappy
    all_facts = {**heard.facts, **_levels(heard.splits), **facts}
    try:
        return drivers(
            unhappy,
            heard.answers["customer"].to_numpy()[rows],
            {name: values[rows] for name, values in all_facts.items()},
            level,
        )
    except NotEnoughData as error:
        return error


def _levels(splits: Mapping[str, pl.Series]) -> dict[str, Any]:
    """Each group of each split as a yes-or-no fact."""
    found: dict[str, Any] = {}
    for name, values in splits.items():
        groups = values.drop_nulls().unique().sort().to_list()
        if len(groups) > MOST_PARTS:
            continue
        missing = values.is_null().to_numpy()
        for group in groups if len(groups) != 2 else groups[1:]:
            found[f"{name} is {group}"] = np.where(
                missing, np.nan, (values == group).fill_null(value=False).to_numpy().astype(np.float64)
            )
    return found


def _texts(
    heard: Heard, model: TextModel | None, survey: Survey | None, level: float
) -> tuple[Told, dict[str, Any]]:
    """What texts say; and the themes as facts of the answers given nearby."""
    if model is None or heard.texts.is_empty():
        return Told(texts=len(heard.texts), read=0, total=None, themes=()), {}
    readings = model.read(heard.texts["text"].to_list())
    near = heard.answer_of
    of_survey = (heard.answers["survey"] == survey).to_numpy() if survey else np.zeros(0, dtype=np.bool_)
    linked = np.array([place >= 0 and bool(of_survey[place]) for place in near.tolist()], dtype=np.bool_)
    answer = np.full(len(near), np.nan)
    answer[linked] = heard.answers["value"].to_numpy()[near[linked]]
    facts: dict[str, Any] = {}
    names = sorted({name for name in readings.theme if name})
    themed = np.array([name is not None for name in readings.theme], dtype=np.bool_) & linked
    for name in names:
        values = np.full(len(heard.answers), np.nan)
        values[near[themed]] = 0.0
        values[near[themed & np.array([theme == name for theme in readings.theme])]] = 1.0
        facts[f"writes about {name}"] = values
    return told(readings, heard.texts["customer"].to_numpy(), answer, level), facts


def _unsplit(heard: Heard) -> list[str]:
    many = {name: values.n_unique() for name, values in heard.splits.items()}
    return [
        f"{name} has {count:,} values and is not split by; {MOST_PARTS} are the most"
        for name, count in many.items()
        if count > MOST_PARTS
    ]


def _notes(heard: Heard, model: TextModel | None, texts: Told) -> list[str]:
    if heard.texts.is_empty():
        return []
    if model is None:
        return [f"{texts.texts:,} texts are not read: there is no text model; see nba feedback train"]
    said = []
    unread = texts.texts - texts.read
    if unread:
        said.append(
            f"{unread:,} of {texts.texts:,} texts are left out of sentiment and themes: their language is "
            f"not that of the text model ({model.language.name}), or it has met too few of their words"
        )
    return said


def _survey(found: Surveyed) -> dict[str, Any]:
    return {
        "total": _score(found.total),
        "by": {
            name: [{"name": part.name, **_score(part.score)} for part in parts]
            for name, parts in found.by.items()
        },
    }


def _score(found: Score | NotEnoughData) -> dict[str, Any]:
    if isinstance(found, NotEnoughData):
        return {"not_enough_data": found.detail, "figures": found.figures}
    return asdict(found)


def _theme(theme: Theme) -> dict[str, Any]:
    return {**asdict(theme), "sentiment": _score(theme.sentiment)}


def _drivers(survey: Survey | None, found: Drivers | NotEnoughData | None) -> dict[str, Any]:
    if found is None:
        return {"survey": None, "not_enough_data": "there are no survey answers", "found": []}
    if isinstance(found, NotEnoughData):
        return {"survey": survey, "not_enough_data": found.detail, "figures": found.figures, "found": []}
    return {
        "survey": survey,
        "level": found.level,
        "level_of_each": found.each,
        "found": [_driver(driver) for driver in found.found],
        "skipped": dict(found.skipped),
    }


def _driver(driver: Driver) -> dict[str, Any]:
    """A median that is infinite, of those who never did, is null."""
    told = {
        k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(driver).items()
    }
    return {**told, "size": driver.size}
