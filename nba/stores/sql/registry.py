"""What serves, leases, what is kept by key, and notes: few rows, seldom written, each write alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select

from nba.stores.leasing import SERVING, refuse_unless_seen
from nba.stores.ports import Lease, NoteRow, Publication
from nba.stores.sql import leases
from nba.stores.sql.database import Database
from nba.stores.sql.rows import records
from nba.stores.sql.statements import LISTED
from nba.stores.sql.tables import KEPT, NOTES, PUBLICATIONS


class SqlRegistry:
    """A part of `SqlStore`; see `nba.stores.ports.Store`."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
        with self._under(lease) as connection:
            if after is not None:
                among = PUBLICATIONS.c.kind.in_(SERVING)
                latest = connection.execute(select(func.max(PUBLICATIONS.c.number)).where(among)).scalar()
                refuse_unless_seen(latest or 0, after)
            number = 1 + (connection.execute(select(func.max(PUBLICATIONS.c.number))).scalar() or 0)
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
            connection.execute(PUBLICATIONS.insert(), asdict(publication))
        return publication

    def serving(self) -> Mapping[str, Publication]:
        latest = select(func.max(PUBLICATIONS.c.number)).group_by(PUBLICATIONS.c.kind)
        rows = self._read(select(PUBLICATIONS).where(PUBLICATIONS.c.number.in_(latest)))
        return {record["kind"]: Publication(**record) for record in rows}

    def audit(self) -> list[Publication]:
        rows = self._read(select(PUBLICATIONS).order_by(PUBLICATIONS.c.number))
        return [Publication(**record) for record in rows]

    def lease(self, name: str, holder: str, now: float, seconds: float) -> Lease | None:
        with self._database.exclusive() as connection:
            return leases.take(connection, name, holder, now, seconds)

    def give_back(self, lease: Lease) -> None:
        with self._database.exclusive() as connection:
            leases.give_back(connection, lease)

    def keep(self, key: str, value: bytes, lease: Lease | None = None) -> None:
        add = self._database.insert(KEPT).values(key=key, value=value)
        replacing = add.on_conflict_do_update(index_elements=[KEPT.c.key], set_={"value": value})
        with self._under(lease) as connection:
            connection.execute(replacing)

    def kept(self, key: str) -> bytes | None:
        rows = self._read(select(KEPT.c.value).where(KEPT.c.key == key))
        return rows[0]["value"] if rows else None

    def note(self, kind: str, at: float, body: bytes, lease: Lease | None = None) -> NoteRow:
        added = NOTES.insert().values(kind=kind, at=at, body=body).returning(NOTES.c.number)
        with self._under(lease) as connection:  # alone, so that numbers appear in order
            number = connection.execute(added).scalar_one()
        return NoteRow(number=number, kind=kind, at=at, body=body)

    def notes(self, kind: str, after: int = 0, limit: int = 1_000) -> list[NoteRow]:
        number = NOTES.c.number
        found = select(NOTES).where(NOTES.c.kind == kind, number > after).order_by(number).limit(limit)
        return [NoteRow(**record) for record in self._read(found)]

    def forget_notes(self, numbers: Sequence[int]) -> None:
        among = self._database.among(NOTES.c.number, LISTED)
        with self._database.writing() as connection:
            connection.execute(delete(NOTES).where(among), {LISTED: self._database.listed(numbers)})

    @contextmanager
    def _under(self, lease: Lease | None) -> Iterator[Connection]:
        """An exclusive transaction in which the caller holds the lease. Raises Conflict."""
        with self._database.exclusive() as connection:
            if lease is not None:
                leases.check(connection, lease)
            yield connection

    def _read(self, statement: Select[Any], **bound: Any) -> list[dict[str, Any]]:
        with self._database.reading() as connection:
            return records(connection.execute(statement, bound))
