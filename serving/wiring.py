"""Which adapters serve: the one module that chooses them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nba.artefacts import Artefacts
from nba.errors import InvalidInput
from nba.live import LiveSource
from nba.observer import Observer
from nba.playbook.compile import load
from nba.service import Service
from nba.stores.open import open_store
from nba.stores.ports import Clock, Store

Alert = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What an engine is made of."""

    service: Service
    store: Store
    live: LiveSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What an app is a function of.

    Attributes:
        open: gives the parts and takes them back; told where to send alerts and what is measured.
        clock: epoch seconds.
        refresh_seconds: how often to look up what should serve.
    """

    open: Callable[[Alert, Observer], AbstractContextManager[Parts]]
    clock: Callable[[], float] = time.time
    refresh_seconds: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `nba serve` was told. `clock` None takes the store as it is, and makes a new one live."""

    playbook: str
    store: str
    artefacts: str
    clock: Clock | None = None


def wired(settings: Settings) -> Wiring:
    """The wiring of a real server."""

    @contextmanager
    def parts(alert: Alert, observer: Observer) -> Iterator[Parts]:
        playbook = load(Path(settings.playbook))
        store = open_store(settings.store, settings.clock)
        try:
            artefacts = Artefacts(Path(settings.artefacts))
            live = LiveSource(playbook=playbook, store=store, artefacts=artefacts, alert=alert)
            service = Service(store=store, live=live, observer=observer)
            yield Parts(service=service, store=store, live=live)
        finally:
            store.close()

    return Wiring(open=parts)


def prepare(settings: Settings, workers: int) -> None:
    """Check the playbook and bring the store's schema up to date, once, before workers start.

    Raises:
        InvalidPlaybook, InvalidInput, SchemaMismatch, StoreUnavailable: what the operator has to mend.
    """
    if workers > 1 and settings.store.startswith("memory:"):
        raise InvalidInput.of("workers", "a store in memory knows one process; give one worker or --store")
    load(Path(settings.playbook))
    open_store(settings.store, settings.clock).close()
