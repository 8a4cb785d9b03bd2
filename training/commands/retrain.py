"""`nba retrain`: a candidate from mature rewards, judged off-policy, published where the playbook lets it."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from nba.commands.moments import NEEDED, needed
from nba.commands.options import Artefacts, JsonFile, Playbook, StoreUrl, console, existing_store
from nba.errors import InvalidInput


def retrain(
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    artefacts: Artefacts = Path("artefacts"),
    as_of: Annotated[str | None, typer.Option(help=NEEDED)] = None,
    folds: Annotated[int, typer.Option(min=2, max=20, help="Folds of customers.")] = 3,
    learner: Annotated[
        list[str] | None, typer.Option(help="A learner that competes; may be repeated. Default all.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of folds and learners.")] = 0,
    who: Annotated[str, typer.Option(help="Who asks, for the audit table.")] = "nba retrain",
    shadow: Annotated[
        bool, typer.Option("--shadow", help="What is not promoted looks on: asked at every decision.")
    ] = False,
    tuned: Annotated[
        Path | None, typer.Option("--settings", help="Learners' settings, as `nba tune` writes them.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Train a policy on decisions whose rewards are mature, and let it serve if it is proven.

    A refresh of the serving specification must not be worse by more than the playbook's margin, a new
    specification must be better, by the paired doubly robust difference.
    """
    from rich.console import Console

    from experiments.tracking import Tracker
    from nba.artefacts import Artefacts as Folder
    from nba.playbook.compile import load
    from nba.policies.learners import LEARNERS
    from training.policy.retrain import Settings
    from training.policy.retrain import retrain as run
    from training.policy.selection import able
    from training.policy.show import show
    from training.tune.file import read_settings

    for name in learner or ():
        if name not in LEARNERS:
            raise InvalidInput.of("learner", f"there is no learner {name!r}; there are {', '.join(LEARNERS)}")
    book = load(playbook)
    names = tuple(learner or able(book))
    settings = Settings(
        folds=folds,
        seed=seed,
        learners=names,
        who=who,
        shadow=shadow,
        tuned={} if tuned is None else read_settings(tuned),
    )
    with (
        closing(existing_store(store)) as opened,
        Console(stderr=True).status("") as status,
    ):
        moment = needed(opened, as_of, book)
        result = run(
            opened,
            Folder(artefacts),
            book,
            Tracker(),
            as_of=moment,
            settings=settings,
            progress=status.update,
        )
    show(result, console())
    if json_file is not None:
        json_file.write_text(json.dumps(result.to_json(), indent=2) + "\n", encoding="utf-8")
