"""Prometheus metrics of the API. With several workers `/metrics` adds them up.

The workers write to files in `PROMETHEUS_MULTIPROC_DIR`, which `nba serve` sets before it starts them;
prometheus_client looks at that variable when it is first imported. Gauges that speak of one worker
carry its process id in the label `worker`.

Two threads measure, the event loop and the writer; each tallies for itself. The writer's tally counts when
its batch is committed, the event loop's a moment later.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any, Literal

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess

from nba.live import Live, Published
from nba.observer import Kind
from nba.stores.ports import TicketCounts
from serving.alerts import Alerts
from serving.logs import unexpected
from serving.measures import Measures
from serving.tally import Tally

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_MOMENT_SECONDS = 0.02
MEDIA_TYPE = CONTENT_TYPE_LATEST.encode()


class Metrics:
    """One worker's metrics, and the page on which all workers' are added up. An `nba.observer.Observer`."""

    def __init__(self, alerts: Alerts) -> None:
        self._alerts = alerts
        self._registry = CollectorRegistry()
        self._measures = Measures.of(self._registry)
        self._worker = str(os.getpid())
        self._served: tuple[str, str] | None = None
        self._ramped: str | None = None
        self._actions: frozenset[str] = frozenset()
        self._children: dict[tuple[str, ...], Any] = {}
        self._loop, self._writer = Tally(), Tally()
        self._flushing = False

    # The event loop tells:

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._loop.count(self._child("requests", route, method, str(status)))
        self._loop.observe(self._child("request_seconds", route), seconds)
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_later(_MOMENT_SECONDS, self._flush)

    def _flush(self) -> None:
        self._flushing = False
        self._loop.flush()

    def edge(self, since: float) -> None:
        """What was asked is known now; its first byte came at `since`, by `perf_counter`."""
        self._loop.observe(self._child("stages", "edge"), perf_counter() - since)

    def artefact_refused(self) -> None:
        self._measures.artefacts_refused.inc()

    def refresh_failed(self) -> None:
        self._measures.refresh_failures.inc()

    def serves(self, live: Live, now: float) -> None:
        """Say what this worker serves."""
        serves = (live.decides, live.playbook.version)
        if self._served not in (None, serves):
            self._measures.policy.labels(self._worker, *self._served).set(0)
        self._measures.policy.labels(self._worker, *serves).set(1)
        self._served = serves
        self._actions = frozenset(live.playbook.arms.actions)
        if live.policy_publication is not None:
            age = max(0.0, now - live.policy_publication.published_at)
            self._measures.age.labels(self._worker).set(age)

        self._ramp(live.ramp)

    def _ramp(self, ramp: Published | None) -> None:
        name = None if ramp is None else ramp.publication.name
        if self._ramped not in (None, name):
            self._measures.ramp.labels(self._ramped).set(0)
        if ramp is not None:
            self._measures.ramp.labels(name).set(ramp.publication.share)
        self._ramped = name

    def room(self, free_bytes: int | None) -> None:
        """What is left on the store's disk."""
        self._measures.disk_free.set(math.nan if free_bytes is None else free_bytes)

    def open_tickets(self, counts: TicketCounts) -> None:
        """The tickets that are not settled."""
        self._measures.tickets_open.set(counts.unsettled)
        self._measures.tickets_overdue.set(counts.overdue)

    # The writer tells, of its batch:

    def waited(self, seconds: Sequence[float]) -> None:
        """How long each command of the batch has waited."""
        self._writer.observe_all(self._child("stages", "wait"), seconds)

    def committed(self, commands: int, waiting: int, seconds: float) -> None:
        """The batch is durable; what was told of it counts."""
        self._writer.observe(self._child("stages", "handle"), seconds)
        self._writer.observe(self._measures.batch, commands)
        self._writer.flush()
        self._measures.waiting.set(waiting)
        self._measures.breaker.set(0)

    def recovered(self) -> None:
        """The store takes writes again, before there was a batch to show it."""
        self._measures.breaker.set(0)

    def failed(self, store: bool) -> None:
        """The batch was not stored; `store` where that is the store's fault."""
        self._writer.drop()
        if store:
            self._measures.store_errors.inc()
            self._measures.breaker.set(1)

    def stage(self, name: Literal["fetch", "decide", "record", "commit"], seconds: float) -> None:
        self._writer.observe(self._child("stages", name), seconds)

    def rounds(self, count: int) -> None:
        self._writer.observe(self._measures.rounds, count)

    def decided(
        self, *, kinds: Mapping[Kind, int], entropies: Sequence[float], refused: Mapping[str, int]
    ) -> None:
        for (group, explored, contact), decisions in kinds.items():
            shares = ("yes" if explored else "no", "yes" if contact else "no")
            self._writer.count(self._child("decisions", group, *shares), decisions)
        self._writer.observe_all(self._measures.entropy, entropies)
        for rule, arms in refused.items():
            self._writer.count(self._child("refusals", rule), arms)

    def shadow(self, name: str, agrees: bool) -> None:
        self._writer.count(self._child("shadow", name, "yes" if agrees else "no"))

    def policy_failed(self, name: str, error: Exception) -> None:
        self._alerts.on("policy_failed", name, **unexpected(error))

    def experiment(self, name: str, variant: str, decisions: int) -> None:
        self._writer.count(self._child("experiments", name, variant), decisions)

    def fallback(self, reason: str, decisions: int) -> None:
        self._writer.count(self._child("fallbacks", reason), decisions)
        if reason != "untrained":  # which is how every engine begins
            self._alerts.on("fallback", reason)

    def activation(self, action: str, event: Literal["held", "activated"]) -> None:
        known = action if action in self._actions or action == "no_contact" else "brought"
        self._writer.count(self._child("held", known, event))

    def ignored_features(self, count: int) -> None:
        self._writer.count(self._measures.ignored_features, count)

    def identity(self, outcome: Literal["linked", "refused"]) -> None:
        self._writer.count(self._child("identities", outcome))
        if outcome == "refused":  # somebody's test address, or a kind that strangers share
            self._alerts.on("identity_refused")

    def ticket(self, rule: str, event: Literal["opened", "noted", "settled", "reopened"]) -> None:
        self._writer.count(self._child("tickets", rule or "by hand", event))

    def trigger(self, name: str, result: Literal["pushed", "silent", "failed"]) -> None:
        self._writer.count(self._child("triggers", name, result))

    def page(self) -> bytes:
        """The exposition text, over all workers where there are several."""
        self._loop.flush()
        folder = os.environ.get(SHARED_FOLDER)
        if folder is None:
            return generate_latest(self._registry)
        everyone = CollectorRegistry()
        multiprocess.MultiProcessCollector(everyone, path=folder)  # type: ignore[no-untyped-call]
        return generate_latest(everyone)

    def _child(self, *key: str) -> Any:
        """The measure `key[0]` for these labels; looking labels up takes a lock and a sort each time."""
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = getattr(self._measures, key[0]).labels(*key[1:])
        return child
