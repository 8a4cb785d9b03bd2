"""`nba decide`: decisions in bulk, from Parquet to Parquet."""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from nba.commands.options import Artefacts, JsonFile, Playbook, StoreUrl, console
from nba.errors import InvalidInput


def decide(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="Requests: customer_id, and context by column.")
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Answers, in the same order.")],
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    artefacts: Artefacts = Path("artefacts"),
    json_file: JsonFile = None,
) -> None:
    """Decide for every row of a Parquet file, by the same code and rules as over HTTP.

    The decisions are logged in the store. The same file again gets the same answers.
    """
    from rich.progress import Progress

    from nba.artefacts import Artefacts as Folder
    from nba.bulk import decide_file
    from nba.live import LiveSource
    from nba.playbook.compile import load
    from nba.service import Service
    from nba.stores.open import default_url, open_store

    if not target.parent.is_dir():
        raise InvalidInput.of("out", f"there is no folder {target.parent}")
    book = load(playbook)
    out = console()
    with closing(open_store(store or default_url(Path()))) as opened, Progress(console=out) as bar:
        live = LiveSource(playbook=book, store=opened, artefacts=Folder(artefacts), alert=_refused)
        live.refresh(time.time())
        task = bar.add_task("deciding", total=None)
        summary = decide_file(
            Service(store=opened, live=live),
            source,
            target,
            now=time.time,
            progress=lambda done, rows: bar.update(task, completed=done, total=rows),
        )
    told = f"{summary.decided} decided, {summary.repeated} answered as before"
    out.print(f"{told}; policy {live.current.decides}; wrote {target}", markup=False, highlight=False)
    if summary.problems:
        told = f"{summary.problems} rows have a problem, told in the column `problem`; first {summary.first}"
        out.print(told, markup=False, highlight=False)
    if json_file is not None:
        json_file.write_text(json.dumps(asdict(summary)) + "\n", encoding="utf-8")


def _refused(event: str, fields: dict[str, object]) -> None:
    typer.echo(f"nba: {event}: {fields.get('detail')}", err=True)
