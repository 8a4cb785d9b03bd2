"""`nba feedback report`: how happy customers are, where, since when, and what sets the unhappy apart."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nba.commands.moments import asked
from nba.commands.options import Artefacts, JsonFile, Playbook, StoreUrl, console, epoch, existing_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from experiments.report.feedback.report import FeedbackReport
    from training.feedback.from_table import Told
    from training.feedback.reporting import How


def report(
    source: Annotated[
        Path | None, typer.Argument(help="A table (.csv, .parquet, .jsonl); left out, the store and history.")
    ] = None,
    survey: Annotated[
        Literal["nps", "csat", "ces"] | None,
        typer.Option(help="Whose unhappy answers are compared; with SOURCE what --score holds (csat)."),
    ] = None,
    score: Annotated[str | None, typer.Option(help="With SOURCE: the column of answers.")] = None,
    text: Annotated[str | None, typer.Option(help="With SOURCE: the column of texts.")] = None,
    customer: Annotated[str | None, typer.Option("--id", help="With SOURCE: the customer's column.")] = None,
    time_column: Annotated[
        str | None, typer.Option("--time", help="With SOURCE: the column of times.")
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option(help="With SOURCE: a column to split by, or a number to look at.")
    ] = None,
    every: Annotated[Literal["week", "month"], typer.Option(help="The periods, UTC.")] = "month",
    since: Annotated[str | None, typer.Option(help="ISO 8601; what was said from then on.")] = None,
    as_of: Annotated[
        str | None,
        typer.Option(help="ISO 8601; nothing later is seen. Default now, or the store's latest moment."),
    ] = None,
    level: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    playbook: Playbook = Path("playbook.yaml"),
    history: Annotated[Path, typer.Option(help="The folder of the history.")] = Path("history"),
    store: StoreUrl = None,
    artefacts: Artefacts = Path("artefacts"),
    json_file: JsonFile = None,
) -> None:
    """NPS, CSAT and CES by stage, segment, channel and time, with intervals that count customers; what
    unhappy customers have more often than others, by effect size; and what texts are about.

    Texts are read by the model that nba feedback train has published. None is shown or written.
    """
    from rich.console import Console

    from training.feedback.from_table import Told
    from training.feedback.reporting import How
    from training.feedback.show_report import show

    how = How(survey=survey, every=every, level=level)
    with Console(stderr=True).status("starting") as status:
        if source is None:
            found = _of_store(store, playbook, history, artefacts, how, since, as_of, status.update)
        else:
            told = Told(
                survey=survey or "csat",
                score=score,
                text=text,
                customer=customer,
                time=time_column,
                by=tuple(by or ()),
            )
            found = _of_table(source, told, store, playbook, artefacts, how)
    show(found, console())
    if json_file is not None:
        json_file.write_text(json.dumps(found.to_json(), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _of_store(
    store: str | None,
    playbook: Path,
    history: Path,
    artefacts: Path,
    how: How,
    since: str | None,
    as_of: str | None,
    hear: Callable[[str], None],
) -> FeedbackReport:
    from experiments.report.moment import default_as_of
    from nba.artefacts import Artefacts as Folder
    from nba.playbook.compile import load
    from training.feedback.reporting import of_store

    book = load(playbook)
    with closing(existing_store(store)) as opened:
        return of_store(
            opened,
            book,
            history,
            Folder(artefacts),
            how,
            since=float("-inf") if since is None else epoch("since", since),
            as_of=default_as_of(opened, time.time()) if as_of is None else asked(opened, as_of, book),
            hear=hear,
        )


def _of_table(
    source: Path, told: Told, store: str | None, playbook: Path, artefacts: Path, how: How
) -> FeedbackReport:
    """Scales are the playbook's and the text model the store's, where there are such."""
    from experiments.report.feedback.stored import text_model
    from nba.artefacts import Artefacts as Folder
    from nba.playbook.compile import load
    from nba.playbook.feedback import Feedback
    from nba.stores.open import default_url
    from training.feedback.reporting import of_table

    feedback = load(playbook).spec.feedback if playbook.exists() else Feedback()
    url = store or default_url(Path())
    there = not url.startswith("sqlite:///") or Path(url.removeprefix("sqlite:///")).exists()
    if told.text is None or not there:
        return of_table(source, told, feedback, None, "", how)
    with closing(existing_store(store)) as opened:
        return of_table(source, told, feedback, *text_model(opened, Folder(artefacts)), how)
