"""`nba demo`: the main job end to end, on the built-in world or on a public data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nba.commands.options import JsonFile, console

if TYPE_CHECKING:
    from types import FrameType


def demo(
    data: Annotated[
        Path | None, typer.Option(help="A folder of the Starbucks offers: the offline part on real data.")
    ] = None,
    directory: Annotated[Path, typer.Option(help="Where to work; made anew.")] = Path("demo"),
    customers: Annotated[int, typer.Option(min=20, help="Who live through the API.")] = 8_000,
    pilot: Annotated[int, typer.Option(min=1, help="Weeks in which chance decides.")] = 3,
    weeks: Annotated[int, typer.Option(min=1, help="Weeks that each policy then serves.")] = 2,
    judges: Annotated[int, typer.Option(min=20, help="Other customers, for the true values.")] = 5_000,
    history: Annotated[int, typer.Option(min=30, help="Days on record before the start.")] = 120,
    seed: Annotated[int, typer.Option(min=0, help="Of the world.")] = 1,
    json_file: JsonFile = None,
) -> None:
    """Simulate a history, ingest, train, serve, let customers live through the API, retrain, report.

    Everything runs as you would run it: the commands in processes of their own, decisions over HTTP on a
    real port, on the request clock. The built-in world knows what each policy is truly worth.
    """
    if data is not None:
        from training.cases.run import run

        run(data, json_file)
        return
    from training.demo.run import Size
    from training.demo.run import demo as whole
    from training.demo.telling import Telling

    _end_on_sigterm()
    size = Size(customers=customers, pilot=pilot, weeks=weeks, judges=judges, history=history, seed=seed)
    tell = Telling(console())
    result = whole(directory, size, tell)
    tell.end(result)
    if json_file is not None:
        json_file.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _end_on_sigterm() -> None:
    """Asked to end, leave by the usual way, so that the server is ended too."""
    import signal
    import sys

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)
