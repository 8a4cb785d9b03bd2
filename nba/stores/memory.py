"""A store in memory: the reference that the others are tested with, and enough for simulations.

Keeps nothing after the process, and knows one process only; else it promises what every store promises.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, Literal, TypeVar

from nba.stores.fresh import new_secret, new_surrogate
from nba.stores.memory_people import MemoryPeople
from nba.stores.memory_reactions import MemoryReactions
from nba.stores.memory_transaction import MemoryTransaction as MemoryTransaction
from nba.stores.ports import (
    Clock,
    ContactRow,
    CustomerRow,
    DecisionRow,
    DrawRow,
    OutboxRow,
    TouchpointRow,
)

Row = TypeVar("Row")


class MemoryStore(MemoryPeople, MemoryReactions):
    """See `nba.stores.ports.Store`."""

    def __init__(
        self,
        clock: Clock = "live",
        *,
        secret: bytes | None = None,
        surrogates: Callable[[], str] = new_surrogate,
    ) -> None:
        super().__init__()
        self._clock = clock
        self._secret = secret or new_secret()
        self._surrogates = surrogates
        self._playbooks: dict[str, str] = {}

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

    def decisions(
        self, since: float, until: float, chunk: int = 10_000, own: bool = False
    ) -> Iterator[list[DecisionRow]]:
        with self._seeing:
            rows = [row for row in self._tables.decisions.values() if since <= row.decided_at < until]
        ordered = sorted(rows, key=attrgetter("decided_at", "decision_id"))
        yield from _chunks(ordered if own else self._under(ordered), chunk)

    def draws(self, since: float, until: float, chunk: int = 50_000) -> Iterator[list[DrawRow]]:
        for rows in self.decisions(since, until, chunk):
            yield [DrawRow(*(getattr(row, name) for name in DrawRow._fields)) for row in rows]

    def touchpoints(
        self, since: float, until: float, chunk: int = 50_000, own: bool = False
    ) -> Iterator[list[TouchpointRow]]:
        with self._seeing:
            rows = [row for row in self._tables.touchpoints.values() if since <= row.occurred_at < until]
        ordered = sorted(rows, key=attrgetter("occurred_at", "source", "id"))
        yield from _chunks(ordered if own else self._under(ordered), chunk)

    def moment_back(self, rows: Literal["decisions", "touchpoints"], count: int, before: float) -> float:
        with self._seeing:
            decided = [row.decided_at for row in self._tables.decisions.values()]
            occurred = [row.occurred_at for row in self._tables.touchpoints.values()]
        moments = sorted(at for at in (decided if rows == "decisions" else occurred) if at < before)
        return float(moments[-count]) if count <= len(moments) else float("-inf")

    def latest(self) -> float:
        with self._seeing:
            decided = [row.decided_at for row in self._tables.decisions.values()]
            occurred = [row.occurred_at for row in self._tables.touchpoints.values()]
        published = [publication.published_at for publication in self.audit()]
        return max([*decided, *occurred, *published], default=float("-inf"))

    def links(self) -> dict[str, str]:
        with self._seeing:
            return {surrogate: name for name, surrogate in self._tables.surrogates.items()}

    def names(self, surrogates: Sequence[str]) -> dict[str, str]:
        with self._seeing:
            rows = self._tables.customers
            return {s: rows[s].customer_id for s in surrogates if s in rows}

    def customer_of(self, surrogate: str) -> CustomerRow | None:
        with self._seeing:
            row: CustomerRow | None = copy.deepcopy(self._tables.customers.get(surrogate))
            return row

    def keep_playbook(self, fingerprint: str, text: str) -> None:
        if fingerprint not in self._playbooks:
            with self._exclusive():
                self._playbooks.setdefault(fingerprint, text)

    def playbook(self, fingerprint: str) -> str | None:
        return self._playbooks.get(fingerprint)

    def playbooks(self) -> dict[str, str]:
        return dict(self._playbooks)

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
            for key, delivery in list(self._deliveries.items()):
                if delivery.at < before:
                    del self._deliveries[key]
            settled = [
                name
                for name, ticket in tables.tickets.items()
                if ticket.closed_at is not None and ticket.closed_at < before
            ]
            for name in settled:
                del tables.tickets[name], tables.ticket_changes[name]
            return {
                "decisions": _forget(tables.decisions, "decided_at", before),
                "contacts": len(gone),
                "touchpoints": _forget(tables.touchpoints, "occurred_at", before),
                "outbox": _forget(tables.outbox, "at", before),
                "tickets": len(settled),
            }

    def free_bytes(self) -> int | None:
        return None

    def ping(self) -> None:
        """Memory can always be written."""

    def close(self) -> None:
        """Nothing is held."""


def _forget(table: dict[Any, Any], time: str, before: float) -> int:
    """Drop the rows from before a moment; how many."""
    gone = [key for key, row in table.items() if getattr(row, time) < before]
    for key in gone:
        del table[key]
    return len(gone)


def _chunks(rows: list[Row], size: int) -> Iterator[list[Row]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
