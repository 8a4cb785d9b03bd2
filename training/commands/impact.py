"""`nba impact`: treatment customers and learned policies against each standing alternative, live."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from nba.commands.moments import DEFAULT, asked
from nba.commands.options import Artefacts, JsonFile, Playbook, StoreUrl, console, epoch, existing_store


def impact(
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    artefacts: Artefacts = Path("artefacts"),
    as_of: Annotated[str | None, typer.Option(help=DEFAULT)] = None,
    since: Annotated[
        str | None, typer.Option(help="ISO 8601; decisions from then on. Default the first.")
    ] = None,
    level: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    json_file: JsonFile = None,
) -> None:
    """What the policy is worth per customer: against chance, holdout, ranking by propensity, itself without
    levers, and the incumbent's rules; or what is missing to say so.

    Prints first, then logs to the MLflow experiment `impact`; where that is down it is sent later.
    """
    from rich.console import Console

    from experiments.backlog import Backlog
    from experiments.report.moment import default_as_of
    from experiments.tracking import Tracker
    from nba.artefacts import Artefacts as Folder
    from nba.playbook.compile import load
    from training.impact.measure import measure
    from training.impact.record import record
    from training.impact.show import show

    book = load(playbook)
    with closing(existing_store(store)) as opened:
        moment = asked(opened, as_of, book) if as_of is not None else default_as_of(opened, time.time())
        start = float("-inf") if since is None else epoch("since", since)
        with Console(stderr=True).status("") as status:
            found = measure(
                opened,
                Folder(artefacts),
                book,
                as_of=moment,
                since=start,
                level=level,
                progress=status.update,
            )
        show(found, console())
        if json_file is not None:
            json_file.write_text(json.dumps(found.to_json(), indent=2) + "\n", encoding="utf-8")
        tracker = Tracker()
        sent = Backlog(opened).deliver(tracker, record(found, book))
    typer.echo(sent.said(tracker.uri))
