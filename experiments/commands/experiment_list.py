"""`nba experiment list`: the playbook's experiments, and how far each has come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.experiment_reading import moment, reading
from nba.commands.options import JsonFile, StoreUrl, console


def listed(
    playbook: Annotated[Path, typer.Option(help="Which declares them.")] = Path("playbook.yaml"),
    store: StoreUrl = None,
    as_of: Annotated[
        str | None,
        typer.Option(help="ISO 8601. Default now, or the latest moment of a store on the request clock."),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """List the playbook's experiments: layer, share, state, and each variant's customers."""
    from experiments.report.experiment import read_cohorts
    from experiments.report.experiment.listing import list_rows
    from experiments.report.tables import table
    from nba.playbook.compile import load

    known = load(playbook)
    if not known.spec.experiments:
        typer.echo(f"{playbook} declares no experiments; its section `experiments` is where they go")
    with reading(store) as (opened, progress):
        until = moment(opened, as_of, known)
        cohorts = read_cohorts(opened, known, known.spec.experiments, as_of=until, progress=progress)
    rows = list_rows(list(cohorts.values()))
    if rows:
        console().print(table([{key: str(value) for key, value in row.items()} for row in rows]))
    if json_file is not None:
        json_file.write_text(json.dumps({"experiments": rows}, indent=2) + "\n", encoding="utf-8")
