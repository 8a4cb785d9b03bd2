"""What `nba feedback report` does: listen, read with the published model, put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from experiments.report.feedback.report import FeedbackReport, report
from experiments.report.feedback.stored import text_model
from nba.artefacts import Artefacts
from nba.journey.feedback.model import TextModel
from nba.playbook.compile import Playbook
from nba.playbook.feedback import Feedback, Survey
from nba.stores.ports import Store
from training.feedback.from_table import Told, heard_of
from training.feedback.listen import listen
from training.feedback.reading import score_models
from training.served import bring_back

Hear = Callable[[str], None]
ROWS = "Every row counts as another customer, since no column names one: with --id intervals are honest."


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How a report is made: of which survey drivers are looked for, by which periods, at which level."""

    survey: Survey | None = None
    every: Literal["week", "month"] = "month"
    level: float = 0.95


def of_store(
    store: Store,
    playbook: Playbook,
    history: Path,
    artefacts: Artefacts,
    how: How,
    *,
    since: float,
    as_of: float,
    hear: Hear = lambda _: None,
) -> FeedbackReport:
    """What came through the API and in files; what the API received is brought into the history first.

    Raises:
        InvalidInput: there is no feedback, or the level.
        CorruptArtefact, NotFound: the published text model can't be used.
        StoreUnavailable: the history can't be written.
    """
    hear("reading what the API received")
    bring_back(store, history)
    model, version = text_model(store, artefacts)
    scores = score_models(store, artefacts, playbook.schema)
    heard = listen(playbook, history, since=since, as_of=as_of, scores=scores, hear=hear)
    hear("putting it together")
    return report(
        heard,
        playbook.spec.feedback,
        model,
        version,
        driven=how.survey,
        every=how.every,
        level=how.level,
    )


def of_table(
    path: Path,
    told: Told,
    feedback: Feedback,
    model: TextModel | None,
    version: str,
    how: How,
) -> FeedbackReport:
    """What a table says. Raises InvalidInput: the table, a column, an answer or a text is wrong."""
    heard = heard_of(path, told, feedback)
    found = report(heard, feedback, model, version, every=how.every, level=how.level)
    return found if told.customer is not None else replace(found, notes=(ROWS, *found.notes))
