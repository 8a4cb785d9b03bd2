"""`nba journey attribution`: what contacts brought against the holdout, and what outcomes came after."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Annotated, Literal

import typer

from nba.commands.moments import NEEDED, needed
from nba.commands.options import JsonFile, Playbook, StoreUrl, console, existing_store
from nba.errors import InvalidInput


def attribution(
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    model: Annotated[
        Literal["last-touch", "linear", "time-decay", "markov", "shapley"],
        typer.Option(help="How outcomes are shared; a view, no effect."),
    ] = "last-touch",
    half_life: Annotated[str, typer.Option(help="Of time decay, such as 7d or 36h.")] = "7d",
    as_of: Annotated[str | None, typer.Option(help=NEEDED)] = None,
    json_file: JsonFile = None,
) -> None:
    """What contacts brought against the holdout; then outcomes' worth shared among the contacts before them.

    The lift is an effect, where there is a holdout. How outcomes are shared is a view, no measure of effect.
    """
    from nba.playbook.compile import load
    from training.rewards import credit

    book, length = load(playbook), _seconds(half_life)
    with closing(existing_store(store)) as opened:
        until = needed(opened, as_of, book)
        found = credit.attribution(opened, book, as_of=until, model=model, half_life=length)
    credit.show(found, console())
    if json_file is not None:
        json_file.write_text(json.dumps(credit.as_json(found), indent=2) + "\n", encoding="utf-8")


def _seconds(text: str) -> float:
    from pydantic import TypeAdapter, ValidationError

    from nba.playbook.scalars import Seconds

    try:
        seconds: float = TypeAdapter(Seconds).validate_python(text)
    except ValidationError:
        raise InvalidInput.of("half-life", "must be a number and a unit, such as 7d, 36h or 90m") from None
    return seconds
