"""`nba experiment report`: what experiments have shown, or the standing groups against each other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.commands.experiment_reading import moment, reading
from nba.commands.options import JsonFile, StoreUrl, console, epoch
from nba.errors import InvalidInput

if TYPE_CHECKING:
    from experiments.report import Report
    from experiments.report.experiment import Analysed
    from experiments.tracking import Tracker
    from nba.playbook.compile import Playbook


def report(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Experiments; default the groups.")
    ] = None,
    playbook: Annotated[Path, typer.Option(help="What outcomes are worth.")] = Path("playbook.yaml"),
    store: StoreUrl = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            help="ISO 8601; what happened from then on does not count. Default now, or the latest moment "
            "of a store on the request clock."
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="ISO 8601; the groups' money counts from then on. Default the first decision."),
    ] = None,
    level: Annotated[float, typer.Option(help="Of the groups' intervals.")] = 0.95,
    json_file: JsonFile = None,
) -> None:
    """What experiments have shown; without a name, treatment, random-eligible and holdout customers compared.

    Prints first, then logs to the MLflow experiment `ab`; if that fails the exit code is 3.
    """
    from experiments.tracking import Tracker
    from nba.playbook.compile import load

    known, tracker = load(playbook), Tracker()
    if names:
        if since is not None:
            raise InvalidInput.of("since", "is for the groups; an experiment has its own times")
        _experiments(names, known, store, as_of, json_file, tracker)
        return
    _groups(known, store, as_of, since, level, json_file, tracker)


def _experiments(
    names: list[str],
    playbook: Playbook,
    url: str | None,
    as_of: str | None,
    json_file: Path | None,
    tracker: Tracker,
) -> None:
    from experiments.report.experiment import analyse, read_cohorts
    from experiments.report.experiment.as_json import as_json
    from experiments.report.experiment.show import show
    from experiments.report.experiment.state import named
    from experiments.report.experiment.track import log_experiment

    wanted, currency = named(playbook.spec.experiments, names), playbook.spec.currency
    with reading(url) as (store, progress):
        until = moment(store, as_of, playbook)
        cohorts = read_cohorts(store, playbook, wanted, as_of=until, progress=progress)
    found = [analyse(cohort) for cohort in cohorts.values()]
    for one in found:
        show(one, currency, console())
    _write(json_file, {"experiments": [as_json(one, currency) for one in found]})
    for one in found:
        if len(one.cohort):
            typer.echo(f"logged to {tracker.uri}, run {log_experiment(one, playbook, tracker)}")


def _groups(
    playbook: Playbook,
    url: str | None,
    as_of: str | None,
    since: str | None,
    level: float,
    json_file: Path | None,
    tracker: Tracker,
) -> None:
    from experiments.report.experiment.as_json import as_json as experiment_json
    from experiments.report.experiment.show import line
    from experiments.report.show import as_json, show
    from experiments.report.track import log_report

    start = float("-inf") if since is None else epoch("since", since)
    found, running = _measure(playbook, url, start, as_of, level)
    screen, currency = console(), playbook.spec.currency
    show(found, screen)
    for one in running:
        screen.print(line(one, currency), highlight=False, soft_wrap=True)
    _write(json_file, {**as_json(found), "experiments": [experiment_json(one, currency) for one in running]})
    typer.echo(f"logged to {tracker.uri}, run {log_report(found, tracker)}")


def _measure(
    playbook: Playbook, url: str | None, since: float, as_of: str | None, level: float
) -> tuple[Report, list[Analysed]]:
    """The groups, and the experiments that run."""
    from experiments.report import ab_report
    from experiments.report.customers import read_cohort
    from experiments.report.experiment import analyse, read_cohorts
    from experiments.report.experiment.state import state_of

    with reading(url) as (store, progress):
        until = moment(store, as_of, playbook)
        cohort = read_cohort(store, playbook, since=since, as_of=until, progress=progress)
        running = [e for e in playbook.spec.experiments if state_of(e, until) == "running"]
        cohorts = read_cohorts(store, playbook, running, as_of=until) if running else {}
    return ab_report(cohort, playbook, level), [analyse(one) for one in cohorts.values()]


def _write(json_file: Path | None, told: Mapping[str, Any]) -> None:
    if json_file is not None:
        json_file.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
