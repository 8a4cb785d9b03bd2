"""`nba benchmark sequential`: do the tests of experiments keep what they promise when they are looked at?"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from nba.commands.options import JsonFile, console


def sequential(
    runs: Annotated[int, typer.Option(min=10, max=1_000_000, help="Simulated experiments a cell.")] = 2_000,
    json_file: JsonFile = None,
) -> None:
    """False alarms and power of fixed, always-valid and group-sequential analysis, and public experiments.

    The public ones are read from `NBA_DATA_DIR`; where they are missing, it says so.
    """
    from experiments.abproof.run import prove
    from experiments.abproof.show import as_json, show
    from experiments.bakeoff.tasks import data_folder

    proof = prove(runs, data_folder(), lambda text: typer.echo(text, err=True))
    show(proof, console())
    if json_file is not None:
        json_file.write_text(json.dumps(as_json(proof), indent=2) + "\n", encoding="utf-8")
