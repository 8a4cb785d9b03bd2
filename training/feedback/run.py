"""What `nba feedback train` does: read, fit, judge, write the artefact, log, publish. The shell around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.backlog import Backlog
from experiments.tracking import Tracker
from nba.artefacts import Artefacts
from nba.journey.feedback.sealed import KIND, SPECIFICATION, seal_text_model
from nba.stores.ports import Store
from training.feedback.card import card, no_better
from training.feedback.fit import fit_texts
from training.feedback.record import data_fingerprint, record
from training.feedback.texts import Columns, read_texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What came of a training.

    Attributes:
        card: the model card.
        warning: why it was not published, or would better not have been; empty for neither.
        run: the MLflow run, or None; `later` why it is sent later.
    """

    card: dict[str, Any]
    warning: str
    published: bool
    run: str | None
    later: str


def train_texts(
    source: Path,
    columns: Columns,
    store: Store,
    artefacts: Path,
    *,
    language: str,
    at: float,
    seed: int = 0,
    force: bool = False,
    who: str = "nba feedback train",
    hear: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train on a table, and publish unless the sentiment is no better than the baseline (or with `force`).

    Raises:
        InvalidInput: the table, a column or a label is wrong, or there are too many themes.
        NotEnoughData: too few texts of a sentiment.
        StoreUnavailable: the artefact or the store can't be written.
    """
    hear(f"reading {source.name}")
    texts = read_texts(source, columns, seed)
    fitted = fit_texts(texts, language, hear)
    fingerprint = data_fingerprint(texts)
    times = None if texts.at is None else texts.at[~texts.test]
    artefact = seal_text_model(
        fitted.model,
        data_from=None if times is None else float(times.min()),
        data_to=None if times is None else float(times.max()),
        rows=int((~texts.test).sum()),
        parameters={name: dict(judged.figures) for name, judged in fitted.judged.items()},
        seed=seed,
    )
    described = card(fitted, texts, artefact.version, fingerprint, source.name)
    version = Artefacts(artefacts).write(artefact)
    hear("logging to MLflow")
    sent = Backlog(store).deliver(Tracker(), record(fitted, texts, described, at, seed))
    warning = no_better(fitted)
    if not warning or force:
        store.publish(
            kind=KIND,
            version=version,
            specification=SPECIFICATION,
            at=at,
            who=who,
            why=f"trained on {source.name}",
        )
    return Trained(
        card=described,
        warning=warning,
        published=not warning or force,
        run=sent.run_id,
        later=sent.reason,
    )
