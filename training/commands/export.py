"""`nba export`: the decision log as Parquet, or as VW's dsjson."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from nba.commands.moments import NEEDED, needed
from nba.commands.options import JsonFile, Playbook, StoreUrl, console, epoch, existing_store
from nba.errors import InvalidInput


def export(
    target: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder; a new file for dsjson.")],
    format: Annotated[str, typer.Option(help="parquet or dsjson.")] = "parquet",
    since: Annotated[str | None, typer.Option(help="ISO 8601; decisions from this moment on.")] = None,
    as_of: Annotated[str | None, typer.Option(help=NEEDED)] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(help="treatment, random_eligible or holdout; may be repeated. Default all."),
    ] = None,
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    json_file: JsonFile = None,
) -> None:
    """Write decisions, their features, odds and rewards, and what customers did, for other tools.

    No customer is named. `nba import` brings it into another store, where retraining and evaluation give the
    same figures. dsjson has the decisions whose rewards are mature.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from nba.playbook.compile import load
    from training.interchange.export import export as run
    from training.interchange.export_dsjson import export_dsjson
    from training.interchange.parts import Wanted

    if format not in ("parquet", "dsjson"):
        raise InvalidInput.of("format", f"is parquet or dsjson, not {format!r}")
    book = load(playbook)
    columns = SpinnerColumn(), TextColumn("{task.completed:,.0f} decisions read"), TimeElapsedColumn()
    with (
        closing(existing_store(store)) as opened,
        Progress(*columns, console=Console(stderr=True), transient=True) as progress,
    ):
        wanted = Wanted(
            as_of=needed(opened, as_of, book),
            since=float("-inf") if since is None else epoch("since", since),
            groups=tuple(group or ()),
        )
        task = progress.add_task("read", total=None)

        def tell(decisions: int) -> None:
            progress.advance(task, decisions)

        counts: dict[str, Any]
        if format == "parquet":
            counts = dict(run(opened, book, target, wanted, progress=tell).counts)
        else:
            counts = dict(export_dsjson(opened, book, target, wanted, progress=tell))
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    console().print(f"wrote {target}: {told}", markup=False, highlight=False)
    if json_file is not None:
        json_file.write_text(json.dumps({"format": format, **counts}, indent=2) + "\n", encoding="utf-8")
