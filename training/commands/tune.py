"""`nba tune`: the settings of learners and of exploration that earn most on later decisions."""

from __future__ import annotations

import json
import os
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from nba.commands.moments import NEEDED, needed
from nba.commands.options import JsonFile, Playbook, StoreUrl, console, existing_store
from nba.errors import InvalidInput


def tune(
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    trials: Annotated[int, typer.Option(help="Trials that the study is to have, in all.")] = 40,
    timeout: Annotated[str | None, typer.Option(help="Begin no trial after this long: 30m, 2h.")] = None,
    learner: Annotated[
        list[str] | None, typer.Option(help="A learner to tune; may be repeated. Default all.")
    ] = None,
    exploration: Annotated[
        bool, typer.Option("--exploration/--no-exploration", help="Tune how the playbook explores, too.")
    ] = True,
    workers: Annotated[int, typer.Option(help="Processes that try.")] = 1,
    study: Annotated[
        str | None, typer.Option(help="Its name. Default: of the playbook and the data.")
    ] = None,
    resume: Annotated[
        bool | None, typer.Option("--resume/--new", help="Go on with a study, or start one. Default: either.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(envvar="NBA_TUNING_URL", help="Where studies are kept; default tuning.db by the store."),
    ] = None,
    as_of: Annotated[str | None, typer.Option(help=NEEDED)] = None,
    splits: Annotated[int, typer.Option(help="Parts of the log that value trials, in order of time.")] = 3,
    held: Annotated[float, typer.Option(help="Share of the decisions that no trial sees.")] = 0.25,
    seed: Annotated[int, typer.Option(help="Of learners and of what is proposed.")] = 0,
    out: Annotated[Path, typer.Option(help="The settings, for retrain and learn.")] = Path("tuning.json"),
    json_file: JsonFile = None,
) -> None:
    """Find settings of the learners, and of exploration, that earn more on later decisions.

    Each trial learns from earlier decisions and is valued, doubly robust, on later ones. The best is judged
    on a last part that no trial saw, beside the defaults. Ctrl-C keeps what is finished; the same command
    goes on. Several machines may share a study through --storage.
    """
    from rich.console import Console

    from nba.playbook.compile import load
    from training.tune.naming import moment_of
    from training.tune.run import Place, Settings
    from training.tune.run import tune as run
    from training.tune.show import show
    from training.tune.track import deliver

    settings = Settings(
        trials=trials,
        timeout=None if timeout is None else _seconds(timeout),
        learners=tuple(learner or ()),
        explore=exploration,
        workers=workers,
        study=study,
        resume=resume,
        splits=splits,
        held=held,
        seed=seed,
    )
    if out.is_dir() or not os.access(out.parent, os.W_OK):
        raise InvalidInput.of("out", f"{out} can't be written; name a file in a folder that is there")
    started, kept = time.time(), storage or beside(store)
    book = load(playbook)
    going_on = as_of is None and resume is not False and (study is not None or resume)
    before = moment_of(kept, study, book) if going_on else None
    with closing(existing_store(store)) as opened:
        moment = needed(opened, as_of, book) if before is None else before
    place = Place(playbook=playbook, store=store, storage=kept, as_of=moment)
    with Console(stderr=True).status("") as status:
        tuned = run(place, settings, status.update)
        out.write_text(json.dumps(tuned.to_json(), indent=2) + "\n", encoding="utf-8")
        status.update("telling MLflow")
        with closing(existing_store(store)) as opened:
            tuned = deliver(opened, tuned, settings, started)
    show(tuned, console(), out)
    if json_file is not None:
        told = {**tuned.to_json(), "run_id": tuned.run_id, "all_trials": tuned.rows()}
        json_file.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    if tuned.interrupted:
        raise typer.Exit(130)


def beside(store: str | None) -> str:
    """The address of `tuning.db` in the folder of a SQLite store, else in the working directory."""
    path = (store or "nba.db").removeprefix("sqlite:///")
    folder = Path() if "://" in path or path == "memory:" else Path(path).parent
    return f"sqlite:///{folder / 'tuning.db'}"


def _seconds(text: str) -> float:
    from pydantic import TypeAdapter, ValidationError

    from nba.playbook.scalars import Seconds

    try:
        return float(TypeAdapter(Seconds).validate_python(text))
    except ValidationError:
        raise InvalidInput.of("timeout", "is a number and a unit, such as 90s, 30m or 2h") from None
