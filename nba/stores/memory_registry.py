"""In memory: what serves, leases, what is kept by key, and notes; and the lock that all writes hold."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from nba.errors import Conflict
from nba.stores.leasing import ENDED, SERVING, next_lease, refuse_unless_held, refuse_unless_seen
from nba.stores.ports import Lease, NoteRow, Publication


class MemoryRegistry:
    """A part of `MemoryStore`; see `nba.stores.ports.Store`."""

    def __init__(self) -> None:
        self._writing = threading.Lock()
        self._writer: int | None = None
        self._seeing = threading.Lock()  # held while committed rows are read or replaced, never for long
        self._publications: list[Publication] = []
        self._leases: dict[str, Lease] = {}
        self._kept: dict[str, bytes] = {}
        self._notes: dict[int, NoteRow] = {}
        self._last_note = 0

    def publish(
        self,
        *,
        kind: str,
        version: str,
        specification: str,
        at: float,
        who: str,
        why: str,
        origin: int | None = None,
        share: float = 1.0,
        evidence: str = "",
        after: int | None = None,
        lease: Lease | None = None,
    ) -> Publication:
        with self._exclusive(lease):
            if after is not None:
                of = [p.number for p in self._publications if p.kind in SERVING]
                refuse_unless_seen(max(of, default=0), after)
            number = len(self._publications) + 1
            publication = Publication(
                number=number,
                kind=kind,
                version=version,
                specification=specification,
                published_at=at,
                who=who,
                why=why,
                origin=number if origin is None else origin,
                share=share,
                evidence=evidence,
            )
            self._publications.append(publication)
        return publication

    def serving(self) -> Mapping[str, Publication]:
        return {publication.kind: publication for publication in self.audit()}

    def audit(self) -> list[Publication]:
        return list(self._publications)

    def lease(self, name: str, holder: str, now: float, seconds: float) -> Lease | None:
        with self._exclusive():
            last = self._leases.get(name)
            lease = next_lease(last, name=name, holder=holder, now=now, seconds=seconds)
            if lease is not None:
                self._leases[name] = lease
            return lease

    def give_back(self, lease: Lease) -> None:
        with self._exclusive(), suppress(Conflict):
            self._check(lease)
            self._leases[lease.name] = replace(lease, **ENDED)

    def keep(self, key: str, value: bytes, lease: Lease | None = None) -> None:
        with self._exclusive(lease):
            self._kept[key] = value

    def kept(self, key: str) -> bytes | None:
        return self._kept.get(key)

    def note(self, kind: str, at: float, body: bytes, lease: Lease | None = None) -> NoteRow:
        with self._exclusive(lease), self._seeing:
            self._last_note += 1
            row = NoteRow(number=self._last_note, kind=kind, at=at, body=body)
            self._notes[row.number] = row
        return row

    def notes(self, kind: str, after: int = 0, limit: int = 1_000) -> list[NoteRow]:
        with self._seeing:
            rows = [row for number, row in self._notes.items() if number > after and row.kind == kind]
        return rows[:limit]

    def forget_notes(self, numbers: Sequence[int]) -> None:
        with self._exclusive(), self._seeing:
            for number in numbers:
                self._notes.pop(number, None)

    @contextmanager
    def _exclusive(self, lease: Lease | None = None) -> Iterator[None]:
        """No other write meanwhile. Raises Conflict where the caller doesn't hold the lease."""
        if self._writer == threading.get_ident():
            raise RuntimeError("a write inside a transaction of the same store")
        with self._writing:
            self._writer = threading.get_ident()
            try:
                if lease is not None:
                    self._check(lease)
                yield
            finally:
                self._writer = None

    def _check(self, lease: Lease) -> None:
        refuse_unless_held(self._leases.get(lease.name), lease)
