"""A store in memory: the reference that the others are tested with, and enough for simulations.

Keeps nothing after the process, and knows one process only; else it promises what every store promises.
"""

from __future__ import annotations

import copy
import threading
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import Any, TypeVar

from nba.errors import Conflict
from nba.stores.fresh import new_secret, new_surrogate
from nba.stores.ports import Clock, ContactRow, CustomerRow, DecisionRow, Publication, TouchpointRow

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class _Tables:
    """What is committed; or, as layers over that, what a transaction sees."""

    surrogates: Any = field(default_factory=dict)  # customer id → surrogate
    customers: Any = field(default_factory=dict)  # surrogate → row
    decisions: Any = field(default_factory=dict)  # id → row
    contacts: Any = field(default_factory=dict)  # decision id → row
    contacts_of: Any = field(default_factory=dict)  # surrogate → decision ids
    touchpoints: Any = field(default_factory=dict)  # (source, id) → row
    applied: Any = field(default_factory=dict)  # file → True

    def layered(self) -> _Tables:
        """Writes go to the layer, reads fall through it."""
        return _Tables(*(ChainMap({}, getattr(self, f.name)) for f in fields(self)))

    def absorb(self, layer: _Tables) -> None:
        for f in fields(self):
            getattr(self, f.name).update(getattr(layer, f.name).maps[0])


class MemoryTransaction:
    """See `nba.stores.ports.Transaction`."""

    def __init__(self, tables: _Tables, surrogates: Callable[[], str]) -> None:
        self._tables = tables
        self._surrogates = surrogates

    def answers(self, decision_ids: Sequence[str]) -> dict[str, DecisionRow]:
        return {i: self._tables.decisions[i] for i in decision_ids if i in self._tables.decisions}

    def customers(self, customer_ids: Sequence[str]) -> dict[str, CustomerRow]:
        for name in customer_ids:
            if name not in self._tables.surrogates:
                row = CustomerRow(customer_id=name, surrogate=self._surrogates())
                self._tables.surrogates[name] = row.surrogate
                self._tables.customers[row.surrogate] = row
        found = self.customers_of([self._tables.surrogates[name] for name in customer_ids])
        return {row.customer_id: row for row in found.values()}

    def customers_of(self, surrogates: Sequence[str]) -> dict[str, CustomerRow]:
        rows = self._tables.customers
        return {s: copy.deepcopy(rows[s]) for s in surrogates if s in rows}

    def save_customers(self, rows: Sequence[CustomerRow]) -> None:
        self._tables.customers.update({row.surrogate: copy.deepcopy(row) for row in rows})

    def contacts(self, surrogates: Sequence[str], since: float) -> list[ContactRow]:
        ids = [i for s in dict.fromkeys(surrogates) for i in self._tables.contacts_of.get(s, ())]
        rows = [self._tables.contacts[i] for i in ids]
        counted = [row for row in rows if row.send_at >= since and row.status != "released"]
        return sorted(counted, key=attrgetter("send_at", "decision_id"))

    def append_decisions(self, rows: Sequence[DecisionRow]) -> None:
        for row in rows:
            _insert(self._tables.decisions, row.decision_id, row)

    def append_contacts(self, rows: Sequence[ContactRow]) -> None:
        for row in rows:
            _insert(self._tables.contacts, row.decision_id, row)
            before = self._tables.contacts_of.get(row.surrogate, ())
            self._tables.contacts_of[row.surrogate] = (*before, row.decision_id)

    def activate(self, decision_id: str, at: float) -> None:
        decisions, contacts = self._tables.decisions, self._tables.contacts
        decisions[decision_id] = replace(decisions[decision_id], status="active", activated_at=at)
        if decision_id in contacts:
            contacts[decision_id] = replace(contacts[decision_id], status="reserved", expires_at=None)

    def append_touchpoints(self, rows: Sequence[TouchpointRow]) -> list[bool]:
        new = []
        for row in rows:
            new.append((row.source, row.id) not in self._tables.touchpoints)
            self._tables.touchpoints.setdefault((row.source, row.id), row)
        return new

    def applied(self, file: str) -> bool:
        return file in self._tables.applied

    def mark_applied(self, file: str) -> None:
        self._tables.applied[file] = True


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
        self._tables = _Tables()
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


def _insert(table: Any, key: str, row: object) -> None:
    if key in table:
        raise Conflict("a row with this id is in the store already")
    table[key] = row


def _chunks(rows: list[Row], size: int) -> Iterator[list[Row]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
