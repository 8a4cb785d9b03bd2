"""PostgreSQL as a `Database`: transactions side by side, each locking the rows that it decides upon.

Read committed is enough: what a decision depends on is locked before it is read. Nothing here waits for
long: a server that is down is told at once, one that doesn't answer after two seconds, a lock that others
hold after five. What a message says never has data or a password in it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from zlib import crc32

from sqlalchemy import URL, ColumnElement, Connection, Dialect, Engine, Table, any_, bindparam, create_engine
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.exc import DBAPIError, TimeoutError
from sqlalchemy.types import BigInteger, Integer, Text

from nba.errors import NbaError
from nba.stores.sql.months import Parts
from nba.stores.sql.postgres_errors import told

CONNECTIONS = 16  # for writing, and as many for reading; a quarter of them is kept open
CONNECT_SECONDS = 2
LOCK_SECONDS = 5  # how long to wait for rows that others hold
_WAIT = {  # of a network that has gone silent
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 10_000,
}
_WRITER = (
    "synchronous_commit=on",
    "default_transaction_isolation=read\\ committed",
    "statement_timeout=30s",
    "idle_in_transaction_session_timeout=5min",  # a process that hangs lets go of its locks
    "enable_seqscan=off",  # every statement goes by a key; of a young table the planner thinks otherwise
    "random_page_cost=1.1",
    "jit=off",
)
_READER = ("default_transaction_read_only=on",)

# Advisory locks belong to a database, so the numbers are only ours there: "nba" and one more byte.
_EXCLUSIVE, _OUTBOX, _PARTS, _KEYS = (0x6E626100 + number for number in (1, 2, 3, 4))
_STRIPES = 256  # keys share locks, of which a server has few thousand


class Postgres:
    """One database of a PostgreSQL server, version 14 or later."""

    def __init__(self, url: URL) -> None:
        """Connects to nothing yet."""
        self._url = url
        self._writer = _engine(url, (*_WRITER, f"lock_timeout={1_000 * LOCK_SECONDS:.0f}"))
        reader = _engine(
            url, _READER, pool_pre_ping=True
        )  # a read can afford it, and then never fails in vain
        self._reader = reader.execution_options(isolation_level="AUTOCOMMIT")
        self._here = threading.local()
        self._made: dict[str, float] = {}

    @property
    def dialect(self) -> Dialect:
        return self._writer.dialect

    @property
    def partitioned(self) -> bool:
        return True

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        if getattr(self._here, "writing", False):
            raise RuntimeError("a write inside a transaction of the same store")
        self._here.writing = True
        try:
            with self._translated(), self._writer.begin() as connection:
                yield connection
        finally:
            self._here.writing = False

    @contextmanager
    def exclusive(self) -> Iterator[Connection]:
        with self.writing() as connection:
            _lock(connection, _EXCLUSIVE)
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self._translated(), self._reader.connect() as connection:
            yield connection

    def among(self, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
        element = BigInteger if isinstance(column.type, Integer) else Text
        return column == any_(bindparam(name, type_=ARRAY(element)))

    def listed(self, values: Sequence[Any]) -> list[Any]:
        return list(values)

    def insert(self, table: Table) -> Insert:
        return insert(table)

    def in_turn(self, connection: Connection) -> None:
        _lock(connection, _OUTBOX)

    def alone(self, connection: Connection, keys: Sequence[str]) -> None:
        stripes = sorted({crc32(key.encode()) % _STRIPES for key in keys})  # in one order, as all locks
        if stripes:
            listed = f"unnest(ARRAY{stripes}) AS stripe"
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_KEYS}, stripe) FROM {listed}")

    def overwritten(self) -> None:
        """The server's vacuum does that."""

    def make_room(self, table: Table, latest: float) -> None:
        """On a connection of its own: others see the new parts at once and wait for nobody's commit."""
        if latest >= self._made.get(table.name, float("-inf")):
            with self._writer.begin() as connection:
                _lock(connection, _PARTS)
                self._made[table.name] = Parts.of(connection, table).cover(connection, latest)

    def drop_parts(self, table: Table, before: float) -> int:
        with self.writing() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '1s'")  # writers queue behind us meanwhile
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            _lock(connection, _PARTS)
            return Parts.of(connection, table).drop(connection, before)

    def free_bytes(self) -> int | None:
        return None

    def close(self) -> None:
        self._reader.dispose()
        self._writer.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, TimeoutError) as error:
            raise self._error(error) from None  # the cause's text may have data in it

    def _error(self, error: DBAPIError | TimeoutError) -> NbaError:
        return told(error, self._url)


def _engine(url: URL, settings: Sequence[str], **pool: Any) -> Engine:
    options = " ".join([*_given(url), *(f"-c {setting}" for setting in settings)])
    return create_engine(
        url.set(drivername="postgresql+psycopg").difference_update_query(["options"]),
        connect_args={"application_name": "nba", **_WAIT, "options": options},
        paramstyle="format",
        pool_size=CONNECTIONS // 4,
        max_overflow=CONNECTIONS - CONNECTIONS // 4,
        pool_timeout=CONNECT_SECONDS,
        pool_use_lifo=True,
        hide_parameters=True,
        **pool,
    )


def _given(url: URL) -> tuple[str, ...]:
    """The `options` of the URL itself."""
    given = url.query.get("options", ())
    return (given,) if isinstance(given, str) else given


def _lock(connection: Connection, number: int) -> None:
    """Wait for an advisory lock, and hold it until the transaction ends."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({number})")
