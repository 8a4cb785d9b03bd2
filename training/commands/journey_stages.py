"""`nba journey stages`: where customers stand, how they move, how long they stay."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from nba.commands.moments import needed
from nba.commands.options import Artefacts, JsonFile, Playbook, StoreUrl, console, existing_store


def stages(
    playbook: Playbook = Path("playbook.yaml"),
    history: Annotated[Path, typer.Option(help="The folder of the history.")] = Path("history"),
    as_of: Annotated[
        str | None,
        typer.Option(help="ISO 8601; nothing later is seen. Default now; needed on the request clock."),
    ] = None,
    store: StoreUrl = None,
    artefacts: Artefacts = Path("artefacts"),
    json_file: JsonFile = None,
) -> None:
    """Stages by size, changes between them, lengths of stay, and the odds to move on and to fall back."""
    from nba.playbook.compile import load
    from training.segments.run import scores_of
    from training.served import bring_back
    from training.stages.report import stages as found_stages
    from training.stages.show import show

    book = load(playbook)
    with closing(existing_store(store)) as opened:
        moment = needed(opened, as_of, book)
        bring_back(opened, history)
        found = found_stages(book, history, moment, scores_of(opened, artefacts, book))
    show(found, console())
    if json_file is not None:
        json_file.write_text(json.dumps(found.to_json(), indent=2) + "\n", encoding="utf-8")
