"""`nba experiment report`: compare treatment, random-eligible and holdout customers."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nba.commands.options import JsonFile, StoreUrl, console, epoch, existing_store

if TYPE_CHECKING:
    from experiments.report import Report


def report(
    playbook: Annotated[Path, typer.Option(help="What outcomes are worth.")] = Path("playbook.yaml"),
    store: StoreUrl = None,
    as_of: Annotated[
        str | None, typer.Option(help="ISO 8601; what happened from then on does not count. Default now.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="ISO 8601; money counts from then on. Default the first decision.")
    ] = None,
    level: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    json_file: JsonFile = None,
) -> None:
    """What treatment, random-eligible and holdout customers earned, compared customer by customer.

    Prints first, then logs to the MLflow experiment `ab`; if that fails the exit code is 3.
    """

    from experiments.report.show import as_json, show
    from experiments.report.track import log_report
    from experiments.tracking import Tracker

    until = time.time() if as_of is None else epoch("as-of", as_of)
    start = float("-inf") if since is None else epoch("since", since)
    found = _measure(playbook, store, start, until, level)
    show(found, console())
    if json_file is not None:
        json_file.write_text(json.dumps(as_json(found), indent=2) + "\n", encoding="utf-8")
    tracker = Tracker()
    typer.echo(f"logged to {tracker.uri}, run {log_report(found, tracker)}")


def _measure(path: Path, url: str | None, since: float, until: float, level: float) -> Report:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from experiments.report import ab_report
    from experiments.report.customers import read_cohort
    from nba.playbook.compile import load

    playbook = load(path)
    columns = SpinnerColumn(), TextColumn("{task.completed:,.0f} decisions read"), TimeElapsedColumn()
    with (
        closing(existing_store(url)) as store,
        Progress(*columns, console=Console(stderr=True), transient=True) as progress,
    ):
        task = progress.add_task("read", total=None)
        cohort = read_cohort(
            store, playbook, since=since, as_of=until, progress=lambda n: progress.advance(task, n)
        )
    return ab_report(cohort, playbook, level)
