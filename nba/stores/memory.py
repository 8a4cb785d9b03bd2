"""A store in memory: the reference that the others are tested with, and enough for simulations.

Keeps nothing after the process, and knows one process only; else it promises what every store promises.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, TypeVar

from nba.stores.fresh import new_secret, new_surrogate
from nba.stores.memory_transaction import MemoryTransaction as MemoryTransaction
from nba.stores.memory_transaction import Tables
from nba.stores.ports import Clock, ContactRow, DecisionRow, OutboxRow, Publication, TouchpointRow

Row = TypeVar("Row")


class MemoryStore:
    """See `nba.stores.ports.Store`."""

    def __init__(
        self,
        clock: Clock = "live",
        *,
        secret: bytes | None = None,
        surrogates: Callable[[], str] = new_surrogate,
    ) -> None:
        self._clock = clock
        self._secret = secret or new_secret()
        self._surrogates = surrogates
        self._writing = threading.Lock()
        self._writer: int | None = None
        self._seeing = threading.Lock()  # held while committed rows are read or replaced, never for long
        self._tables = Tables()
        self._playbooks: dict[str, str] = {}
        self._publications: list[Publication] = []

    @property
    def secret(self) -> bytes:
        return self._secret

    @property
    def clock(self) -> Clock:
        return self._clock

    @contextmanager
    def transaction(self) -> Iterator[MemoryTransaction]:
        with self._exclusive():
            layer = self._tables.layered()
            yield MemoryTransaction(layer, self._surrogates)
            with self._seeing:
                self._tables.absorb(layer)

    def decision(self, decision_id: str) -> DecisionRow | None:
        row: DecisionRow | None = self._tables.decisions.get(decision_id)
        return row

    def contact(self, decision_id: str) -> ContactRow | None:
        row: ContactRow | None = self._tables.contacts.get(decision_id)
        return row

    def decisions(self, since: float, until: float, chunk: int = 10_000) -> Iterator[list[DecisionRow]]:
        with self._seeing:
            rows = [row for row in self._tables.decisions.values() if since <= row.decided_at < until]
        yield from _chunks(sorted(rows, key=attrgetter("decided_at", "decision_id")), chunk)

    def touchpoints(self, since: float, until: float, chunk: int = 50_000) -> Iterator[list[TouchpointRow]]:
        with self._seeing:
            rows = [row for row in self._tables.touchpoints.values() if since <= row.occurred_at < until]
        yield from _chunks(sorted(rows, key=attrgetter("occurred_at", "source", "id")), chunk)

    def links(self) -> dict[str, str]:
        with self._seeing:
            return {surrogate: name for name, surrogate in self._tables.surrogates.items()}

    def names(self, surrogates: Sequence[str]) -> dict[str, str]:
        with self._seeing:
            rows = self._tables.customers
            return {s: rows[s].customer_id for s in surrogates if s in rows}

    def keep_playbook(self, fingerprint: str, text: str) -> None:
        if fingerprint not in self._playbooks:
            with self._exclusive():
                self._playbooks.setdefault(fingerprint, text)

    def playbook(self, fingerprint: str) -> str | None:
        return self._playbooks.get(fingerprint)

    def playbooks(self) -> dict[str, str]:
        return dict(self._playbooks)

    def publish(
        self, *, kind: str, version: str, specification: str, at: float, who: str, why: str
    ) -> Publication:
        with self._exclusive():
            publication = Publication(
                number=len(self._publications) + 1,
                kind=kind,
                version=version,
                specification=specification,
                published_at=at,
                who=who,
                why=why,
            )
            self._publications.append(publication)
        return publication

    def serving(self) -> Mapping[str, Publication]:
        return {publication.kind: publication for publication in self.audit()}

    def audit(self) -> list[Publication]:
        return list(self._publications)

    def outbox(self, after: int, limit: int = 1_000) -> list[OutboxRow]:
        with self._seeing:
            rows = [row for number, row in self._tables.outbox.items() if number > after]
        return rows[:limit]

    def prune(self, before: float) -> Mapping[str, int]:
        tables = self._tables
        with self._exclusive(), self._seeing:
            gone = [row for row in tables.contacts.values() if row.send_at < before]
            for row in gone:
                kept = tuple(i for i in tables.contacts_of[row.surrogate] if i != row.decision_id)
                tables.contacts_of[row.surrogate] = kept
                tables.limited.pop(row.decision_id, None)
                del tables.contacts[row.decision_id]
            return {
                "decisions": _forget(tables.decisions, "decided_at", before),
                "contacts": len(gone),
                "touchpoints": _forget(tables.touchpoints, "occurred_at", before),
                "outbox": _forget(tables.outbox, "at", before),
            }

    def free_bytes(self) -> int | None:
        return None

    def ping(self) -> None:
        """Memory can always be written."""

    def close(self) -> None:
        """Nothing is held."""

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        if self._writer == threading.get_ident():
            raise RuntimeError("a write inside a transaction of the same store")
        with self._writing:
            self._writer = threading.get_ident()
            try:
                yield
            finally:
                self._writer = None


def _forget(table: dict[Any, Any], time: str, before: float) -> int:
    """Drop the rows from before a moment; how many."""
    gone = [key for key, row in table.items() if getattr(row, time) < before]
    for key in gone:
        del table[key]
    return len(gone)


def _chunks(rows: list[Row], size: int) -> Iterator[list[Row]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
