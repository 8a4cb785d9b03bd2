"""`nba experiment plan`: how many customers and days an experiment needs, by each method of analysis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.experiment_reading import moment, reading
from nba.commands.options import JsonFile, StoreUrl, console


def plan(
    name: Annotated[str, typer.Argument(help="An experiment of the playbook, running or not.")],
    effect: Annotated[float, typer.Option(help="The smallest difference worth finding.")],
    relative: Annotated[
        bool, typer.Option("--relative/--absolute", help="A share of the mean, or in the metric's unit.")
    ] = True,
    power: Annotated[float, typer.Option(help="The probability to find it if it is there.")] = 0.8,
    playbook: Annotated[Path, typer.Option(help="Which declares it.")] = Path("playbook.yaml"),
    store: StoreUrl = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            help="ISO 8601; the past ends there. Default now, or the latest moment of a store on the request "
            "clock."
        ),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Plan an experiment by what the store knows of its primary metric: mean, spread, CUPED, arrivals."""
    from experiments.report.experiment.history import read_history
    from experiments.report.experiment.plan import plan_of
    from experiments.report.experiment.show_plan import as_json, show
    from experiments.report.experiment.state import named
    from nba.playbook.compile import load

    known = load(playbook)
    (experiment,) = named(known.spec.experiments, [name])
    with reading(store) as (opened, progress):
        until = moment(opened, as_of, known)
        history = read_history(opened, known, experiment, as_of=until, progress=progress)
    found = plan_of(experiment, history, effect=effect, relative=relative, power=power)
    show(found, console())
    if json_file is not None:
        json_file.write_text(json.dumps(as_json(found), indent=2) + "\n", encoding="utf-8")
