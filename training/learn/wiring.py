"""Puts the loop together for `nba learn`: the one place that chooses its parts."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from experiments.tracking import Tracker
from nba.artefacts import Artefacts
from nba.commands.moments import asked
from nba.errors import InvalidInput
from nba.playbook.compile import Playbook, load
from nba.policies.learners import LEARNERS
from nba.stores.ports import Store
from training.health.alerts import Alerts, serve_metrics
from training.health.run import Health
from training.learn.loop import Loop
from training.learn.process import Process
from training.learn.steps import WHO, Step
from training.policy.retrain import Settings
from training.policy.selection import able
from training.tune.file import read_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What the command was asked for; see `training/commands/learn.py`."""

    store: Store
    playbook: Path
    artefacts: Path
    every: float
    once: bool
    as_of: str | None
    folds: int
    learners: tuple[str, ...]
    seed: int
    shadow: bool
    tuned: Path | None
    webhook: str | None
    secret: str | None
    metrics_port: int | None


def run(wiring: Wiring) -> None:
    """Once, or until SIGTERM or Ctrl-C.

    Raises:
        InvalidInput: no such learner, the playbook is wrong, `as_of` is later than may be, or the port for
            metrics is taken.
        Busy: with `once`, where another learner holds the lease.
    """
    book = load(wiring.playbook)
    alerts = Alerts(webhook=wiring.webhook, secret=wiring.secret)
    process = _process(wiring, book, alerts)
    if wiring.metrics_port is not None:
        port = serve_metrics(wiring.metrics_port)
        alerts.tell("metrics_served", f"metrics are at http://127.0.0.1:{port}/metrics", port=port)
    if wiring.once:
        process.once()
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: process.stopping.set())
    process.run()
    _leave()


def _process(wiring: Wiring, book: Playbook, alerts: Alerts) -> Process:
    store, tracker, artefacts = wiring.store, Tracker(), Artefacts(wiring.artefacts)

    def tell(step: Step) -> None:
        alerts.tell(step.event, step.said, **step.fields)

    settings = Settings(
        folds=wiring.folds,
        seed=wiring.seed,
        learners=_learners(wiring, book),
        who=WHO,
        shadow=wiring.shadow,
        tuned={} if wiring.tuned is None else read_settings(wiring.tuned),
    )
    health = Health(store=store, artefacts=artefacts, playbook=book, tracker=tracker, alerts=alerts)
    loop = Loop(
        store=store,
        artefacts=artefacts,
        playbook=book,
        tracker=tracker,
        settings=settings,
        health=health,
        tell=tell,
    )

    given = None if wiring.as_of is None else asked(store, wiring.as_of, book)

    def clock() -> float:
        if given is not None:
            return given
        return time.time() if store.clock == "live" else store.latest()

    return Process(store=store, loop=loop, clock=clock, tell=tell, every=wiring.every)


def _learners(wiring: Wiring, book: Playbook) -> tuple[str, ...]:
    for name in wiring.learners:
        if name not in LEARNERS:
            raise InvalidInput.of("learner", f"there is no learner {name!r}; there are {', '.join(LEARNERS)}")
    return wiring.learners or able(book)


def _leave() -> None:
    """End at once: a training that is under way holds native threads that no interpreter can wait for."""
    if any(thread.name == "learner" for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
