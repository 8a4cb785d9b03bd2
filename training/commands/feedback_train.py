"""`nba feedback train`: learn sentiment and theme from labelled texts."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nba.commands.options import Artefacts, JsonFile, StoreUrl

if TYPE_CHECKING:
    from training.feedback.run import Trained


def train(
    source: Annotated[Path, typer.Argument(help="Labelled texts: .csv, .parquet or .jsonl.")],
    text: Annotated[str, typer.Option(help="The column of texts.")],
    label: Annotated[
        str,
        typer.Option(help="The column of sentiments: negative, neutral, positive; 0 and 1; or a rating."),
    ],
    theme: Annotated[str | None, typer.Option(help="The column of themes.")] = None,
    negative: Annotated[float, typer.Option(help="A rating up to this is negative.")] = 2.0,
    positive: Annotated[float, typer.Option(help="A rating from this on is positive.")] = 4.0,
    time_column: Annotated[str | None, typer.Option("--time", help="Judge on the latest by this.")] = None,
    unit: Annotated[
        str | None, typer.Option("--id", help="Texts of one customer (or product) stay on one side.")
    ] = None,
    language: Annotated[str, typer.Option(help="What the texts are written in, for the card.")] = "not said",
    store: StoreUrl = None,
    artefacts: Artefacts = Path("artefacts"),
    seed: Annotated[int, typer.Option(help="Of the split.")] = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Publish a model that is no better than the baseline too.")
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Learn to read sentiment and theme of reviews, comments and complaints from labelled texts.

    Settings are chosen on training rows; the figures are of rows held out, beside a baseline that always
    answers the commonest class. The model is published for `nba feedback report`, its card goes to the MLflow
    experiment `feedback`; no text does.
    """
    from rich.console import Console

    from experiments.report.moment import default_as_of
    from nba.errors import InvalidInput
    from nba.stores.open import default_url, open_store
    from training.feedback.run import train_texts
    from training.feedback.texts import Columns

    if negative >= positive:
        raise InvalidInput.of("negative", "must be below --positive")
    columns = Columns(
        text=text, label=label, theme=theme, time=time_column, unit=unit, negative=negative, positive=positive
    )
    with (
        closing(open_store(store or default_url(Path()))) as opened,
        Console(stderr=True).status("starting") as status,
    ):
        trained = train_texts(
            source,
            columns,
            opened,
            artefacts,
            language=language,
            at=default_as_of(opened, time.time()),
            seed=seed,
            force=force,
            hear=status.update,
        )
    _show(trained)
    if json_file is not None:
        told = {**trained.card, "published": trained.published, "warning": trained.warning}
        json_file.write_text(json.dumps(told, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _show(trained: Trained) -> None:
    from nba.commands.options import console
    from training.feedback.show import show_card

    show_card(trained.card, console())
    if trained.warning:
        typer.echo(f"warning: the model has learned nothing: {trained.warning}", err=True)
    if not trained.published:
        typer.echo("not published, an earlier model stays; train on more texts, or use --force", err=True)
    typer.echo(f"logged as run {trained.run}" if trained.run else f"logged later: {trained.later}")
    typer.echo(f"text model {trained.card['version'][:12]}{' serves' if trained.published else ''}")
