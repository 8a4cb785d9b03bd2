"""`nba prune`: forget decisions, contacts and touchpoints from long ago."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from nba.commands.options import JsonFile, Playbook, StoreUrl, console, existing_store
from nba.errors import InvalidInput

_DAY = 86_400.0


def prune(
    keep: Annotated[int, typer.Option(min=1, max=36_525, help="Days to keep, up to now.")],
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    json_file: JsonFile = None,
) -> None:
    """Forget decisions, contacts and touchpoints older than so many days.

    What customers' features add up to stays, and so do customers, playbooks and publications. What caps,
    cooldowns and reward windows still look at is not forgotten.
    """
    from nba.contact.eligibility import Gatekeeper
    from nba.playbook.compile import load

    book = load(playbook)
    brought = book.spec.catalogue.cooldown or 0.0
    needed = max(Gatekeeper(book).reach, brought, book.spec.objectives.window)
    if keep * _DAY <= needed:
        days = int(needed // _DAY) + 1
        raise InvalidInput.of(
            "keep", f"caps, cooldowns and rewards look back further; keep {days} days or more"
        )
    with closing(existing_store(store)) as opened:
        forgotten = opened.prune(time.time() - keep * _DAY)
    told = ", ".join(f"{rows} {table}" for table, rows in forgotten.items())
    console().print(f"forgot what is older than {keep} days: {told}", markup=False, highlight=False)
    if json_file is not None:
        json_file.write_text(json.dumps(dict(forgotten)) + "\n", encoding="utf-8")
