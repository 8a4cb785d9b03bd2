"""`nba benchmark ope`: the estimators against truths that are known."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from nba.commands.options import JsonFile, console
from nba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from experiments.opeproof.classification import Proof
    from experiments.opeproof.open_bandit import Case

PARTS = ("classification", "open-bandit")


def ope(
    sets: Annotated[
        str | None, typer.Option(help="Which labelled sets, with commas between. Default all.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=2, max=1_000, help="How many logs of each pair of policies.")
    ] = 10,
    rows: Annotated[int, typer.Option(min=100, help="Decisions in a log.")] = 2_000,
    only: Annotated[str | None, typer.Option(help="classification or open-bandit. Default both.")] = None,
    json_file: JsonFile = None,
) -> None:
    """What the estimators get wrong: on labelled sets as bandits, and on Open Bandit (men).

    On labelled sets the true value of every policy is known. On Open Bandit each of two policies was run, so
    that what one log says of the other policy can be held against what that policy earned.
    """
    from experiments.opeproof.show import as_json, show_bandit, show_proof

    if only is not None and only not in PARTS:
        raise InvalidInput.of("only", f"there is no {only!r}; there are {', '.join(PARTS)}")
    proof: Proof | None = None
    cases: tuple[Case, ...] = ()
    if only != "open-bandit":
        proof = _classification(sets, seeds, rows)
        show_proof(proof, console())
    if only != "classification":
        from experiments.opeproof.open_bandit import cases as run

        cases = run()
        show_bandit(cases, console())
    if json_file is not None:
        json_file.write_text(json.dumps(as_json(proof, cases), indent=2) + "\n", encoding="utf-8")


def _classification(sets: str | None, seeds: int, rows: int) -> Proof:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from experiments.bakeoff.tasks import FOLDER, data_folder, names, read
    from experiments.opeproof.classification import prove

    folder = data_folder() / FOLDER
    known = names(folder)
    wanted = known if sets is None else [name.strip() for name in sets.split(",")]
    for name in wanted:
        if name not in known:
            raise InvalidInput.of("sets", f"there is no set {name!r}; there are {', '.join(known)}")
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("sets", total=len(wanted))

        def tell(name: str) -> None:
            progress.update(task, description=name)
            progress.advance(task)
            if not progress.console.is_terminal:
                typer.echo(f"{name} done", err=True)

        step: Callable[[str], None] = tell
        return prove(
            [read(folder / f"{name}.parquet") for name in wanted], seeds=seeds, rows=rows, progress=step
        )
