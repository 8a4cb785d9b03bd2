"""What Prometheus reads of a deliverer."""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge

from nba.stores.ports import Store

_MOST = 100_000


class Figures:
    """One process's, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._count = Counter(
            "nba_deliveries", "Attempts to deliver, by what came of them.", ["target", "result"],
            registry=self.registry,
        )  # fmt: skip
        self._waiting = Gauge(
            "nba_delivery_waiting", "Messages that wait for another try.", ["target"], registry=self.registry
        )
        self._dead = Gauge(
            "nba_delivery_dead", "Dead letters, see `nba outbox list`.", ["target"], registry=self.registry
        )

    def count(self, target: str, result: Literal["sent", "failed", "dead"]) -> None:
        self._count.labels(target, result).inc()

    def look(self, store: Store, targets: list[str]) -> None:
        """Set what the store says. Raises StoreUnavailable."""
        for target in targets:
            waiting = store.deliveries(target, "waiting", limit=_MOST)
            dead = store.deliveries(target, "dead", limit=_MOST)
            self._waiting.labels(target).set(len(waiting))
            self._dead.labels(target).set(len(dead))
