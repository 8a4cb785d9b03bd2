"""SQLite as a `Database`: write-ahead log, synced commits, one writer behind a file lock, many readers.

Plain `BEGIN IMMEDIATE` makes waiting writers poll with growing pauses (p99 226 ms with two workers);
behind a blocking `flock` they queue in the kernel.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    Table,
    bindparam,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.pool import QueuePool

from nba.errors import Conflict, NbaError, SchemaMismatch, StoreUnavailable
from nba.stores.sql.checkpoint import Checkpointer
from nba.stores.sql.lock import FileLock

BUSY_SECONDS = 5.0  # how long to wait for a program that writes without our lock
READERS = 16

_WRITER = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA wal_autocheckpoint = 0",  # `Checkpointer` does it, outside the commit
    "PRAGMA cache_size = -65536",
    "PRAGMA secure_delete = ON",  # what an erasure frees is overwritten, whatever the build's default
)
_READER = ("PRAGMA query_only = 1",)
_TAKEN = ("SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE")
_SENTENCES = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "it is read-only",
    "SQLITE_BUSY": "another program has locked it",
    "SQLITE_LOCKED": "another program has locked it",
    "SQLITE_IOERR": "the disk failed",
    "SQLITE_CANTOPEN": "it can't be opened",
}


class SQLite:
    """One SQLite file, with `-wal`, `-shm` and `.lock` beside it."""

    def __init__(self, path: Path) -> None:
        """Raises StoreUnavailable where the folder can't be made. The file is made by the first write."""
        self._path = path.absolute()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{self._path} can't be created: {error.strerror}") from None
        self._lock = FileLock(self._path.with_name(self._path.name + ".lock"))
        self._writer = _engine(self._path, _WRITER, connections=1)
        event.listen(self._writer, "begin", _begin_immediate)
        self._reader = _engine(self._path, _READER, connections=READERS)
        self._checkpointer = Checkpointer(self._path, self._lock)

    @property
    def dialect(self) -> Dialect:
        return self._writer.dialect

    @property
    def partitioned(self) -> bool:
        return False

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with self._translated():
            with self._lock.held(), self._writer.begin() as connection:
                yield connection
            self._checkpointer.after_commit()

    def exclusive(self) -> AbstractContextManager[Connection]:
        return self.writing()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self._translated(), self._reader.connect() as connection:
            yield connection

    def among(self, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
        return column.in_(select(func.json_each(bindparam(name)).table_valued("value").c.value))

    def listed(self, values: Sequence[Any]) -> str:
        return orjson.dumps(list(values)).decode()

    def insert(self, table: Table) -> Insert:
        return insert(table)

    def in_turn(self, connection: Connection) -> None:
        """There is one writer, so numbers appear in order."""

    def alone(self, connection: Connection, keys: Sequence[str]) -> None:
        """There is one writer."""

    def overwritten(self) -> None:
        self._checkpointer.run()

    def make_room(self, table: Table, latest: float) -> None:
        """Tables have no parts."""

    def drop_parts(self, table: Table, before: float) -> int:
        return 0

    def free_bytes(self) -> int | None:
        try:
            disk = os.statvfs(self._path.parent)
        except OSError:
            return None
        return disk.f_bavail * disk.f_frsize

    def checkpoint(self) -> None:
        """Move what the write-ahead log holds into the file, now."""
        self._checkpointer.run()

    def close(self) -> None:
        self._checkpointer.close()
        self._reader.dispose()
        self._writer.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            if getattr(error.orig, "sqlite_errorname", "") not in _TAKEN:
                raise
            raise Conflict("a row with this id is in the store already") from None
        except DatabaseError as error:
            name = getattr(error.orig, "sqlite_errorname", "")
            if name.startswith("SQLITE_READONLY"):
                self._writer.dispose()  # a handle opened where it could only read stays so for ever
            raise self._error(name) from error

    def _error(self, name: str) -> NbaError:
        if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            return SchemaMismatch(f"{self._path} is damaged or not a store")
        primary = "_".join(name.split("_")[:2])  # SQLITE_IOERR_WRITE is a kind of SQLITE_IOERR
        reason = _SENTENCES.get(primary, "the database refused")
        return StoreUnavailable(f"the store {self._path} can't be used now: {reason}")


def _engine(path: Path, pragmas: Sequence[str], connections: int) -> Engine:
    def connect() -> sqlite3.Connection:
        # isolation_level None: no transaction begins but ours. One thread at a time uses a connection, never
        # always the same one.
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        for pragma in pragmas:
            connection.execute(pragma)
        return connection

    return create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=-1,
        hide_parameters=True,
    )


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
