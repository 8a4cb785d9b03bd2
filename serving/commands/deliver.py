"""`nba deliver`: bring the outbox to whoever is to be told."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from nba.commands.options import Playbook, StoreUrl, console, existing_store


def deliver(
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    once: Annotated[bool, typer.Option("--once", help="Deliver what is due, then end.")] = False,
    every: Annotated[
        float, typer.Option(min=0.01, max=60, help="Seconds from one look at an empty outbox to the next.")
    ] = 0.25,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Serve Prometheus metrics on this port.")
    ] = None,
) -> None:
    """Post the outbox to the playbook's targets, signed, at least once each; until SIGTERM.

    Runs beside `nba serve` on the same store. Addresses and secrets come from the environment, under the
    names that the playbook gives. Of several deliverers on one store one works, and the others wait.
    """
    from nba.playbook.compile import load
    from serving.delivery.wiring import run

    book = load(playbook)
    with closing(existing_store(store)) as opened:
        done = run(opened, book, os.environ, once=once, every=every, metrics_port=metrics_port)
    if once:
        console().print(f"{done:,} deliveries tried", markup=False, highlight=False)
