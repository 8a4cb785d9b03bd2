"""`nba trigger`: look for conditions that have become true, absences, and scores that have jumped."""

from __future__ import annotations

import signal
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from nba.commands.options import Artefacts, Playbook, StoreUrl, console, epoch, existing_store
from nba.errors import InvalidInput


def trigger(
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    artefacts: Artefacts = Path("artefacts"),
    once: Annotated[bool, typer.Option("--once", help="Look at everybody who is due, then end.")] = False,
    every: Annotated[
        float, typer.Option(min=0.05, max=3_600, help="Seconds from one look at who is due to the next.")
    ] = 1.0,
    at: Annotated[
        str | None,
        typer.Option(help="On the request clock, with --once: ISO 8601. Default: the store's latest moment."),
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Serve Prometheus metrics on this port.")
    ] = None,
) -> None:
    """Look for what no event tells: conditions that became true, absences, scores that jumped; until SIGTERM.

    Runs beside `nba serve` on the same store. Triggers of events need it not: they go off with the event. Of
    several sweepers on one store one works, and the others wait to take over.
    """
    from nba.artefacts import Artefacts as Folder
    from nba.live import LiveSource
    from nba.looking import watched
    from nba.playbook.compile import load
    from nba.service import Service
    from serving.logs import configure, log
    from serving.metrics_port import serve_metrics
    from serving.sweep_figures import SweepFigures
    from serving.sweeping import Sweeper

    configure()
    book = load(playbook)
    with closing(existing_store(store)) as opened:
        moment = _moment(at, once=once, simulated=opened.clock == "request")

        def clock() -> float:
            if moment is not None:
                return moment
            return time.time() if opened.clock == "live" else opened.latest()

        def refused(event: str, fields: dict[str, Any]) -> None:
            log().error(event, **fields)

        live = LiveSource(playbook=book, store=opened, artefacts=Folder(artefacts), alert=refused)
        figures = SweepFigures()
        service = Service(store=opened, live=live, observer=figures)
        sweeper = Sweeper(store=opened, service=service, live=live, clock=clock, every=every, figures=figures)
        if once:
            looked, fired = sweeper.once()
            told = f"looked at {looked:,} customers; {fired:,} triggers and tickets came of it"
            console().print(told, markup=False, highlight=False)
            return
        if not watched(book).anything:
            detail = "the playbook has no condition, no absence and no jump to look for; docs/triggers.md"
            raise InvalidInput.of("triggers", detail)
        if metrics_port is not None:
            serve_metrics(metrics_port, figures.registry)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sweeper.stopping.set())
        sweeper.run()


def _moment(at: str | None, *, once: bool, simulated: bool) -> float | None:
    """Raises InvalidInput of `at`."""
    if at is None:
        return None
    if not simulated:
        raise InvalidInput.of("at", "is for stores on the request clock; here it is now")
    if not once:
        raise InvalidInput.of("at", "goes with --once; without it the sweep follows the store's clock")
    return epoch("at", at)
