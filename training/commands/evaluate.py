"""`nba evaluate`: what policies would have earned, off-policy, on the store's log."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nba.commands.moments import NEEDED, needed
from nba.commands.options import Artefacts, JsonFile, Playbook, StoreUrl, console, epoch, existing_store
from nba.errors import InvalidInput

if TYPE_CHECKING:
    from nba.playbook.compile import Playbook as CompiledPlaybook
    from nba.stores.ports import Store
    from training.evaluate.findings import Evaluation, Settings


def evaluate(
    policy: Annotated[
        list[str] | None,
        typer.Argument(
            help="champion, challenger, ramp, incumbent, uniform, no_contact, logging, or a published name"
            " such as linear@7. Default champion, incumbent where there is one, uniform, no_contact."
        ),
    ] = None,
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    artefacts: Artefacts = Path("artefacts"),
    as_of: Annotated[str | None, typer.Option(help=NEEDED)] = None,
    since: Annotated[str | None, typer.Option(help="ISO 8601; only decisions from then on.")] = None,
    estimator: Annotated[
        list[str] | None, typer.Option(help="May be repeated. Default dr, snips, ips, sndr, mips.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="A policy that the others are compared with, row by row.")
    ] = None,
    group: Annotated[
        str, typer.Option(help="treatment, random_eligible (a clean log, but smaller), or all.")
    ] = "treatment",
    alike: Annotated[
        str, typer.Option(help="Arms that mips takes as alike: those of one action, or action+channel.")
    ] = "action+channel",
    folds: Annotated[int, typer.Option(min=2, max=20, help="Folds of customers for predicted rewards.")] = 3,
    level: Annotated[float, typer.Option(min=0.5, max=0.9999, help="Of the intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Of the folds and of what predicts rewards.")] = 0,
    json_file: JsonFile = None,
) -> None:
    """Value policies by decisions that others made, with intervals, and say whether to believe them.

    Only mature rewards count, and no policy is judged on decisions that it was trained on. Writes a run to
    the MLflow experiment `evaluation`; where MLflow can't be reached, it is sent later.
    """
    from experiments.backlog import Backlog
    from experiments.tracking import Tracker
    from nba.playbook.compile import load
    from training.evaluate.findings import ESTIMATORS, Settings
    from training.evaluate.show import as_json, show
    from training.evaluate.track import record

    settings = Settings(
        estimators=tuple(dict.fromkeys(estimator or ESTIMATORS)),
        against=against,
        group=group,
        embedding=alike,
        folds=folds,
        level=level,
        seed=seed,
    )
    _known(settings.estimators)
    with closing(existing_store(store)) as opened:
        book = load(playbook)
        moment = needed(opened, as_of, book)
        start = float("-inf") if since is None else epoch("since", since)
        found = _measure(book, opened, artefacts, policy or [], settings, start, moment)
        show(found, console())
        tracker = Tracker()
        delivered = Backlog(opened).deliver(tracker, record(found))
    if json_file is not None:
        written = {**as_json(found), "run_id": delivered.run_id}
        json_file.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    typer.echo(delivered.said(tracker.uri))


def _measure(
    book: CompiledPlaybook,
    store: Store,
    artefacts: Path,
    names: list[str],
    settings: Settings,
    since: float,
    as_of: float,
) -> Evaluation:
    from rich.console import Console

    from nba.artefacts import Artefacts as Folder
    from training.evaluate.contenders import contenders, usual
    from training.evaluate.values import evaluate as run
    from training.policy.learnable import learnable

    wanted = list(names or usual(book))
    if settings.against is not None and settings.against not in wanted:
        wanted.append(settings.against)
    policies = contenders(wanted, store, Folder(artefacts), book)
    with Console(stderr=True).status("reading the decision log") as status:
        read = learnable(store, book, as_of, since=since)
        return run(
            book,
            read.log,
            policies,
            settings,
            as_of=as_of,
            immature=read.immature,
            progress=status.update,
        )


def _known(names: tuple[str, ...]) -> None:
    """Raises InvalidInput for an estimator that there is not, before anything is read."""
    from experiments.ope.registry import known_estimators

    known = known_estimators()
    for name in names:
        if name not in known:
            raise InvalidInput.of(
                "estimator", f"there is no estimator {name!r}; there are {', '.join(known)}"
            )
