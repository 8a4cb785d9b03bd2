"""The SQL store: durable state in one database, shared by all workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Select, Table, bindparam, func, select, tuple_, update

from nba.errors import SchemaMismatch
from nba.stores.fresh import new_secret, new_surrogate
from nba.stores.ports import Clock, DecisionRow, Publication, TouchpointRow
from nba.stores.sql.database import Database
from nba.stores.sql.migrate import migrate
from nba.stores.sql.rows import parameters, records
from nba.stores.sql.statements import Statements
from nba.stores.sql.tables import CUSTOMERS, DECISIONS, META, PLAYBOOKS, PUBLICATIONS, TOUCHPOINTS
from nba.stores.sql.transaction import SqlTransaction


class SqlStore:
    """See `nba.stores.ports.Store`. Reads outside a transaction use connections of their own."""

    def __init__(
        self,
        database: Database,
        clock: Clock | None = None,
        *,
        secret: bytes | None = None,
        surrogates: Callable[[], str] = new_surrogate,
    ) -> None:
        """Open the store in `database`; make or migrate it first where that is needed.

        Args:
            clock: for a new store, `live` if None; an existing one has its own, which None accepts.
            secret: for a new store; random if None.
            surrogates: makes the name of a new customer.

        Raises:
            SchemaMismatch: the store is newer than this program, or on another clock.
            StoreUnavailable: it can't be written.
        """
        self._database = database
        self._statements = Statements.of(database)
        self._surrogates = surrogates
        with database.exclusive() as connection:
            migrate(connection)
            self._secret, self._clock = _identity(connection, clock or "live", secret)
        if clock not in (None, self._clock):
            raise SchemaMismatch(f"the store is on the {self._clock} clock for good, not on {clock}")

    @property
    def secret(self) -> bytes:
        return self._secret

    @property
    def clock(self) -> Clock:
        return self._clock

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        with self._database.exclusive() as connection:
            yield SqlTransaction(connection, self._database, self._statements, self._surrogates)

    def decision(self, decision_id: str) -> DecisionRow | None:
        rows = self._read(select(DECISIONS).where(DECISIONS.c.decision_id == decision_id))
        return DecisionRow(**rows[0]) if rows else None

    def decisions(self, since: float, until: float, chunk: int = 10_000) -> Iterator[list[DecisionRow]]:
        for chunked in self._chunks(DECISIONS, ("decided_at", "decision_id"), since, until, chunk):
            yield [DecisionRow(**record) for record in chunked]

    def touchpoints(self, since: float, until: float, chunk: int = 50_000) -> Iterator[list[TouchpointRow]]:
        for chunked in self._chunks(TOUCHPOINTS, ("occurred_at", "source", "id"), since, until, chunk):
            yield [TouchpointRow(**record) for record in chunked]

    def links(self) -> dict[str, str]:
        return {record["surrogate"]: record["customer_id"] for record in self._read(select(CUSTOMERS))}

    def keep_playbook(self, fingerprint: str, text: str) -> None:
        if self.playbook(fingerprint) is not None:
            return
        with self._database.exclusive() as connection:
            if _playbook(connection, fingerprint) is None:
                connection.execute(PLAYBOOKS.insert(), {"fingerprint": fingerprint, "text": text})

    def playbook(self, fingerprint: str) -> str | None:
        with self._database.reading() as connection:
            return _playbook(connection, fingerprint)

    def playbooks(self) -> dict[str, str]:
        return {record["fingerprint"]: record["text"] for record in self._read(select(PLAYBOOKS))}

    def publish(
        self, *, kind: str, version: str, specification: str, at: float, who: str, why: str
    ) -> Publication:
        with self._database.exclusive() as connection:
            last = connection.execute(select(func.max(PUBLICATIONS.c.number))).scalar() or 0
            publication = Publication(
                number=last + 1,
                kind=kind,
                version=version,
                specification=specification,
                published_at=at,
                who=who,
                why=why,
            )
            connection.execute(PUBLICATIONS.insert(), parameters(PUBLICATIONS, [publication]))
        return publication

    def serving(self) -> Mapping[str, Publication]:
        latest = select(func.max(PUBLICATIONS.c.number)).group_by(PUBLICATIONS.c.kind)
        rows = self._read(select(PUBLICATIONS).where(PUBLICATIONS.c.number.in_(latest)))
        return {record["kind"]: Publication(**record) for record in rows}

    def audit(self) -> list[Publication]:
        rows = self._read(select(PUBLICATIONS).order_by(PUBLICATIONS.c.number))
        return [Publication(**record) for record in rows]

    def ping(self) -> None:
        with self._database.exclusive() as connection:  # commits: only a write shows that writing works
            connection.execute(update(META).values(pings=META.c.pings + 1))

    def close(self) -> None:
        self._database.close()

    def _read(self, statement: Select[Any], **bound: Any) -> list[dict[str, Any]]:
        with self._database.reading() as connection:
            return records(connection.execute(statement, bound))

    def _chunks(
        self, table: Table, order: tuple[str, ...], since: float, until: float, chunk: int
    ) -> Iterator[list[dict[str, Any]]]:
        """Rows with since ≤ order[0] < until, each chunk a read of its own that goes on after the last row.

        So no read stays open between chunks, which would keep the write-ahead log from shrinking.
        """
        time, *_ = columns = [table.c[name] for name in order]
        inside = select(table).where(time < until).order_by(*columns).limit(chunk)
        after = tuple_(*columns) > tuple_(*(bindparam(f"last_{name}") for name in order))
        rows = self._read(inside.where(time >= since))
        while rows:
            yield rows
            last = {f"last_{name}": rows[-1][name] for name in order}
            rows = self._read(inside.where(after), **last) if len(rows) == chunk else []


def _identity(connection: Connection, clock: Clock, secret: bytes | None) -> tuple[bytes, Clock]:
    """What the store was made with; made now for a new one."""
    row = connection.execute(select(META.c.secret, META.c.clock)).first()
    if row is None:
        fresh = secret or new_secret()
        connection.execute(META.insert(), {"id": 1, "secret": fresh, "clock": clock, "pings": 0})
        return fresh, clock
    return row.secret, row.clock


def _playbook(connection: Connection, fingerprint: str) -> str | None:
    return connection.execute(select(PLAYBOOKS.c.text).where(PLAYBOOKS.c.fingerprint == fingerprint)).scalar()
