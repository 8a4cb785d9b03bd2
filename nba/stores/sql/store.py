"""The SQL store: durable state in one database, shared by all workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    func,
    select,
    tuple_,
    update,
)

from nba.errors import SchemaMismatch
from nba.stores.fresh import new_secret, new_surrogate
from nba.stores.ports import (
    Clock,
    ContactRow,
    CustomerRow,
    DecisionRow,
    DrawRow,
    OutboxRow,
    TouchpointRow,
)
from nba.stores.sql.database import Database
from nba.stores.sql.migrate import migrate
from nba.stores.sql.people import SqlPeople, under
from nba.stores.sql.prune import prune
from nba.stores.sql.reactions import ReactionStatements, SqlReactions
from nba.stores.sql.rows import customer
from nba.stores.sql.statements import LISTED, Statements
from nba.stores.sql.tables import (
    CONTACTS,
    CUSTOMERS,
    DECISIONS,
    META,
    OUTBOX,
    PLAYBOOKS,
    PUBLICATIONS,
    TOUCHPOINTS,
)
from nba.stores.sql.transaction import SqlTransaction, logged


class SqlStore(SqlPeople, SqlReactions):
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
        super().__init__(database)
        self._statements = Statements.of(database)
        self._reactions = ReactionStatements.of(database)
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
        with self._database.writing() as connection:
            transaction = SqlTransaction(
                connection, self._database, self._statements, self._reactions, self._surrogates
            )
            yield transaction
            transaction.finish()
        if transaction.erased:
            self._database.overwritten()

    def decision(self, decision_id: str) -> DecisionRow | None:
        with self._database.reading() as connection:
            found = logged(connection, self._database, self._statements, [decision_id])
        return found[0] if found else None

    def contact(self, decision_id: str) -> ContactRow | None:
        rows = self._read(select(CONTACTS).where(CONTACTS.c.decision_id == decision_id))
        return ContactRow(**rows[0]) if rows else None

    def decisions(
        self, since: float, until: float, chunk: int = 10_000, own: bool = False
    ) -> Iterator[list[DecisionRow]]:
        for chunked in self._chunks(DECISIONS, ("decided_at", "decision_id"), since, until, chunk, own=own):
            yield [DecisionRow(**record) for record in chunked]

    def draws(self, since: float, until: float, chunk: int = 50_000) -> Iterator[list[DrawRow]]:
        columns = [DECISIONS.c[name] for name in DrawRow._fields]
        for chunked in self._chunks(DECISIONS, ("decided_at", "decision_id"), since, until, chunk, columns):
            yield [DrawRow(**record) for record in chunked]

    def touchpoints(
        self, since: float, until: float, chunk: int = 50_000, own: bool = False
    ) -> Iterator[list[TouchpointRow]]:
        order = ("occurred_at", "source", "id")
        for chunked in self._chunks(TOUCHPOINTS, order, since, until, chunk, own=own):
            yield [TouchpointRow(**record) for record in chunked]

    def moment_back(self, rows: Literal["decisions", "touchpoints"], count: int, before: float) -> float:
        time = DECISIONS.c.decided_at if rows == "decisions" else TOUCHPOINTS.c.occurred_at
        newest = select(time.label("at")).where(time < before).order_by(time.desc())
        found = self._read(newest.offset(count - 1).limit(1))
        return float(found[0]["at"]) if found else float("-inf")

    def latest(self) -> float:
        columns = (DECISIONS.c.decided_at, TOUCHPOINTS.c.occurred_at, PUBLICATIONS.c.published_at)
        found = [self._read(select(func.max(column).label("at")))[0]["at"] for column in columns]
        return max((at for at in found if at is not None), default=float("-inf"))

    def links(self) -> dict[str, str]:
        return {record["surrogate"]: record["customer_id"] for record in self._read(select(CUSTOMERS))}

    def names(self, surrogates: Sequence[str]) -> dict[str, str]:
        among = self._database.among(CUSTOMERS.c.surrogate, LISTED)
        rows = self._read(select(CUSTOMERS).where(among), **{LISTED: self._database.listed(surrogates)})
        return {record["surrogate"]: record["customer_id"] for record in rows}

    def customer_of(self, surrogate: str) -> CustomerRow | None:
        with self._database.reading() as connection:
            listed = {LISTED: self._database.listed([surrogate])}
            rows = self._statements.customers_of.read(connection, **listed)
        return customer(rows[0]) if rows else None

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

    def outbox(self, after: int, limit: int = 1_000) -> list[OutboxRow]:
        number = OUTBOX.c.number
        rows = self._read(select(OUTBOX).where(number > after).order_by(number).limit(limit))
        return [OutboxRow(**record) for record in rows]

    def prune(self, before: float) -> Mapping[str, int]:
        return prune(self._database, before)

    def free_bytes(self) -> int | None:
        return self._database.free_bytes()

    def ping(self) -> None:
        with self._database.writing() as connection:  # commits: only a write shows that writing works
            connection.execute(update(META).values(pings=META.c.pings + 1))

    def close(self) -> None:
        self._database.close()

    def _chunks(
        self,
        table: Table,
        order: tuple[str, ...],
        since: float,
        until: float,
        chunk: int,
        only: Sequence[Column[Any]] = (),
        own: bool = False,
    ) -> Iterator[list[dict[str, Any]]]:
        """Rows with since ≤ order[0] < until, each chunk a read of its own that goes on after the last row.

        So no read stays open between chunks, which would keep the write-ahead log from shrinking.
        """
        time, *_ = columns = [table.c[name] for name in order]
        inside = select(*only or (table,)).where(time < until).order_by(*columns).limit(chunk)
        lasts: list[ColumnElement[Any]] = [bindparam(f"last_{name}") for name in order]
        after = and_(
            time >= lasts[0], tuple_(*columns) > tuple_(*lasts)
        )  # parts by time are left out by time
        people = {} if own else self.people()
        rows = self._read(inside.where(time >= since))
        while rows:
            yield under(people, rows)
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
