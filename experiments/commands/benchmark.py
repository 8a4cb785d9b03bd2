"""`nba benchmark …`: our policies against others', on data that anybody can check."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from nba.commands.options import JsonFile, console
from nba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from experiments.bakeoff.contest import Result
    from experiments.bakeoff.tasks import Task

_LINES = 50  # of progress, where there is no terminal


def bakeoff(
    sets: Annotated[str | None, typer.Option(help="Which sets, with commas between. Default all.")] = None,
    shuffles: Annotated[int, typer.Option(min=1, max=1_000, help="How many orders of each set.")] = 10,
    rows: Annotated[int, typer.Option(min=10, help="At most so many rounds a set.")] = 10_000,
    beside: Annotated[
        bool, typer.Option("--beside", help="Also play policies out of competition, for comparison.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many processes.")] = 2,
    development: Annotated[
        bool, typer.Option("--development", help="On the tasks that our setting was chosen on.")
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Rank our default policy among rivals by progressive error on labelled sets, a class being an arm.

    Rivals play the best setting of their grid on each set; ours has one setting for all.
    """
    from experiments.bakeoff.show import as_json, show
    from experiments.bakeoff.table import standing

    result = _play(_tasks(sets, development), shuffles, rows, workers, beside)
    found = standing(result)
    show(found, result, console())
    if json_file is not None:
        json_file.write_text(json.dumps(as_json(found, result), indent=2) + "\n", encoding="utf-8")


def coverage(
    logs: Annotated[int, typer.Option(min=1, max=100_000, help="Simulated logs a cell.")] = 1_000,
    cells: Annotated[
        list[str] | None, typer.Option(help="Which cells, * for any: spend/*/2000/*. Default all.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Check that intervals of off-policy estimates hold the truth as often as they say, cell by cell.

    A cell is a kind of reward, decisions a customer, an effective sample and weights. It fails where the
    99 % upper limit of its coverage is below 95 %, and, where n_psi is 100, if it refuses or is too wide.
    """
    from experiments.coverage.cells import named
    from experiments.coverage.show import as_json, show
    from experiments.coverage.study import study
    from experiments.coverage.verdict import verdict

    wanted = named([name.strip() for given in cells or [] for name in given.split(",")])
    with _telling("logs") as tell:
        answers = study(wanted, logs, tell)
    found = {key: verdict(each) for key, each in answers.items()}
    show(found, logs, console())
    if json_file is not None:
        json_file.write_text(json.dumps(as_json(found, logs), indent=2) + "\n", encoding="utf-8")


def _tasks(sets: str | None, development: bool) -> list[Task]:
    """Raises InvalidInput for a set that isn't there."""
    from experiments.bakeoff.development import development as chosen_on
    from experiments.bakeoff.tasks import FOLDER, data_folder, names, read

    folder = data_folder() / FOLDER
    tasks = {task.name: task for task in chosen_on()} if development else {}
    known = list(tasks) if development else names(folder)
    wanted = known if sets is None else [name.strip() for name in sets.split(",")]
    for name in wanted:
        if name not in known:
            raise InvalidInput.of("sets", f"there is no set {name!r}; there are {', '.join(known)}")
    return [tasks[name] if development else read(folder / f"{name}.parquet") for name in wanted]


def _play(tasks: list[Task], shuffles: int, rows: int, workers: int, beside: bool) -> Result:
    from experiments.bakeoff.contest import contest
    from experiments.bakeoff.entrants import ENTRANTS

    with _telling("games played") as tell:
        names = [name for name, entrant in ENTRANTS.items() if beside or entrant.ranked]
        return contest(tasks, names, shuffles=shuffles, rows=rows, workers=workers, progress=tell)


@contextmanager
def _telling(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, some fifty lines elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

    screen = Console(stderr=True)
    columns = BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns, console=screen, transient=True) as progress:
        task = progress.add_task(what, total=None)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)
            if not screen.is_terminal and done % max(total // _LINES, 1) == 0:
                typer.echo(f"{done:,} of {total:,} {what}", err=True)

        yield tell
