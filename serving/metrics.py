"""Prometheus metrics of the API. With several workers `/metrics` adds them up.

The workers write to files in `PROMETHEUS_MULTIPROC_DIR`, which `nba serve` sets before it starts them;
prometheus_client looks at that variable when it is first imported. Gauges that speak of one worker
carry its process id in the label `worker`.
"""

from __future__ import annotations

import os
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from nba.live import Live

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
MEDIA_TYPE = CONTENT_TYPE_LATEST.encode()
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """One worker's metrics, and the page on which all workers' are added up."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._worker = str(os.getpid())
        self._requests = Counter(
            "nba_http_requests", "Requests answered.", ["route", "method", "status"], registry=registry
        )
        self._seconds = Histogram(
            "nba_http_seconds", "From request to answer.", ["route"], buckets=_SECONDS, registry=registry
        )
        self.batch = Histogram(
            "nba_commit_size", "Commands in one commit.", buckets=_SIZES, registry=registry
        )
        self.waiting = Gauge(
            "nba_commands_waiting",
            "Commands not answered yet, seen at each commit.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._decisions = Counter(
            "nba_decisions", "Decisions made.", ["group", "explored", "contact"], registry=registry
        )
        self._refused = Counter(
            "nba_decisions_all_refused",
            "Decisions for which nothing was eligible.",
            ["reason"],
            registry=registry,
        )
        self.artefacts_refused = Counter(
            "nba_artefacts_refused", "Artefacts that were not taken.", registry=registry
        )
        self.refresh_failures = Counter(
            "nba_refresh_failures", "Times that what serves could not be looked up.", registry=registry
        )
        self._policy = Gauge(
            "nba_policy_info",
            "1 for what the worker serves, 0 for what it served.",
            ["worker", "policy", "playbook"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._age = Gauge(
            "nba_policy_age_seconds",
            "Since the serving policy was published.",
            ["worker"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._served: tuple[str, str] | None = None
        self._children: dict[tuple[str, ...], Any] = {}

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        self._child(self._requests, "requests", route, method, str(status)).inc()
        self._child(self._seconds, "seconds", route).observe(seconds)

    def decision(self, answer: dict[str, Any]) -> None:
        """Count an answer that was newly given."""
        contact = "yes" if answer.get("channel") is not None else "no"
        explored = "yes" if answer.get("explored") else "no"
        self._child(self._decisions, "decisions", str(answer.get("group")), explored, contact).inc()
        reason = answer.get("reason")
        if reason is not None:
            self._child(self._refused, "refused", str(reason)).inc()

    def serves(self, live: Live, now: float) -> None:
        """Say what this worker serves."""
        serves = (live.policy_name, live.playbook.version)
        if self._served not in (None, serves):
            self._policy.labels(self._worker, *self._served).set(0)
        self._policy.labels(self._worker, *serves).set(1)
        self._served = serves
        if live.policy_publication is not None:
            self._age.labels(self._worker).set(max(0.0, now - live.policy_publication.published_at))

    def page(self) -> bytes:
        """The exposition text, over all workers where there are several."""
        folder = os.environ.get(SHARED_FOLDER)
        if folder is None:
            return generate_latest(self._registry)
        everyone = CollectorRegistry()
        multiprocess.MultiProcessCollector(everyone, path=folder)  # type: ignore[no-untyped-call]
        return generate_latest(everyone)

    def _child(self, metric: Counter | Histogram, name: str, *labels: str) -> Any:
        """`metric.labels(...)` takes a lock and a sort each time; this remembers."""
        key = (name, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child
