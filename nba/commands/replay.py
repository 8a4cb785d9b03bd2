"""`nba replay`: make a logged decision again and say what differs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from nba.commands.options import Artefacts, JsonFile, StoreUrl, console, existing_store


def replay(
    decision_id: Annotated[str, typer.Argument(help="As the answer named it.")],
    store: StoreUrl = None,
    artefacts: Artefacts = Path("artefacts"),
    json_file: JsonFile = None,
) -> None:
    """Make a decision again from the log alone; exits 1 where any bit differs."""
    from nba.artefacts import Artefacts as Folder
    from nba.replay import replay as again

    kept = existing_store(store)
    try:
        replayed = again(decision_id, kept, Folder(artefacts))
    finally:
        kept.close()
    if json_file is not None:
        values = {**asdict(replayed), "faithful": replayed.faithful}
        json_file.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    out = console()
    for difference in replayed.differences:
        out.print(
            f"{difference.field}: logged {difference.logged}, made again {difference.again}", markup=False
        )
    fields = f"{len(replayed.compared)} fields compared"
    if not replayed.differences:
        out.print(f"{decision_id}: the same in every bit ({fields})", markup=False)
        return
    build = "" if replayed.same_build else ", on another build or processor than it was decided on"
    out.print(
        f"{decision_id}: {len(replayed.differences)} of {fields} differ{build};"
        f" odds and scores by {replayed.largest:.1e} at most",
        markup=False,
    )
    if not replayed.faithful:
        raise typer.Exit(1)
