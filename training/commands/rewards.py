"""`nba rewards`: the rewards of all history, under the playbook's definition or a new one."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from nba.commands.moments import NEEDED, needed
from nba.commands.options import JsonFile, Playbook, StoreUrl, console, existing_store
from nba.errors import InvalidInput


def rewards(
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Parquet: one row a decision.")],
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    as_of: Annotated[str | None, typer.Option(help=NEEDED)] = None,
    against: Annotated[
        Path | None, typer.Option(help="A playbook with another definition, to compare with.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Compute the rewards of every logged decision by a playbook's objectives and contact costs.

    What is not mature has none; what it can be expected to earn, by a model of delays, stands beside. No
    customer is named in the file.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from nba.playbook.compile import load
    from training.rewards.recompute import moved, recompute
    from training.rewards.show import as_json, show

    if not target.parent.is_dir() or target.is_dir():
        raise InvalidInput.of("out", f"{target} can't be written; name a file in a folder that is there")
    books = [load(path) for path in (playbook, against) if path is not None]
    columns = SpinnerColumn(), TextColumn("{task.completed:,.0f} decisions read"), TimeElapsedColumn()
    with (
        closing(existing_store(store)) as opened,
        Progress(*columns, console=Console(stderr=True), transient=True) as progress,
    ):
        until = needed(opened, as_of, books[0])
        task = progress.add_task("read", total=None)
        found, *others = [
            recompute(opened, book, as_of=until, progress=lambda n: progress.advance(task, n))
            for book in books
        ]
    change = moved(others[0], found) if others else None
    found.frame.write_parquet(target)
    show(found, change, console())
    typer.echo(f"wrote {target}")
    if json_file is not None:
        json_file.write_text(json.dumps(as_json(found, change), indent=2) + "\n", encoding="utf-8")
