"""`nba learn`: the continuous loop beside the API."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from nba.commands.moments import LIMIT
from nba.commands.options import Artefacts, Playbook, StoreUrl, existing_store
from nba.errors import InvalidInput


def learn(
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    artefacts: Artefacts = Path("artefacts"),
    every: Annotated[float, typer.Option(min=0.1, max=3_600, help="Seconds from one look to the next.")] = 5,
    once: Annotated[bool, typer.Option("--once", help="Look and learn once, then end.")] = False,
    as_of: Annotated[
        str | None, typer.Option(help=f"ISO 8601; with --once: nothing later is seen. Default now. {LIMIT}")
    ] = None,
    folds: Annotated[int, typer.Option(min=2, max=20, help="Folds of customers, in full retrainings.")] = 3,
    learner: Annotated[
        list[str] | None, typer.Option(help="A learner that competes; may be repeated. Default all.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of folds and learners.")] = 0,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="What is not promoted looks on: asked at every decision.")
    ] = False,
    tuned: Annotated[
        Path | None, typer.Option("--settings", help="Learners' settings, as `nba tune` writes them.")
    ] = None,
    webhook: Annotated[
        str | None, typer.Option(envvar="NBA_ALERT_WEBHOOK", help="Where alerts are posted.")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Serve Prometheus metrics on this port.")
    ] = None,
) -> None:
    """Learn from rewards as they mature, judge, publish, watch what serves, and roll back; until SIGTERM.

    Runs beside `nba serve`, on the same store and artefacts. On the request clock it takes the store's latest
    moment for now. Of several learners on one store one works, and the others wait to take over.
    """
    from training.learn.wiring import Wiring, run

    if as_of is not None and not once:
        raise InvalidInput.of("as-of", "goes with --once; without it the loop follows the store's clock")
    with closing(existing_store(store)) as opened:
        run(
            Wiring(
                store=opened,
                playbook=playbook,
                artefacts=artefacts,
                every=every,
                once=once,
                as_of=as_of,
                folds=folds,
                learners=tuple(learner or ()),
                seed=seed,
                shadow=shadow,
                tuned=tuned,
                webhook=webhook,
                secret=os.environ.get("NBA_WEBHOOK_SECRET"),
                metrics_port=metrics_port,
            )
        )
