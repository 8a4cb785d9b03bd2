"""What Prometheus reads of `nba trigger`: the same names as the API's, for what no event sets off."""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry, Counter

from nba.observer import NullObserver


class SweepFigures(NullObserver):
    """An `nba.observer.Observer` with a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._tickets = self._counter("nba_tickets", "What became of tickets, by the rule.", "rule", "event")
        self._triggers = self._counter(
            "nba_triggers", "Decisions that triggers made, or could not.", "trigger", "result"
        )
        self._looks = self._counter("nba_looks", "Customers looked at.")

    def ticket(self, rule: str, event: Literal["opened", "noted", "settled", "reopened"]) -> None:
        self._tickets.labels(rule, event).inc()

    def trigger(self, name: str, result: Literal["pushed", "silent", "failed"]) -> None:
        self._triggers.labels(name, result).inc()

    def looked(self, customers: int) -> None:
        """So many were looked at."""
        self._looks.inc(customers)

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(name, says, labels, registry=self.registry)
