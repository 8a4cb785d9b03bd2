"""What differs between databases, in one port: connections, locks, lists as parameters, errors.

`SqlStore` is written against this and SQLAlchemy Core; a further database is one more `Database`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Dialect, Table


class Database(Protocol):
    """Connections to one database, safe to use from several threads. Open it after forking, not before."""

    @property
    def dialect(self) -> Dialect:
        """With parameters by place."""

    @property
    def partitioned(self) -> bool:
        """Decisions and touchpoints lie in parts by time, and their ids in tables of their own."""

    def writing(self) -> AbstractContextManager[Connection]:
        """A write transaction; where the database can't lock rows, the only one over all processes.

        Committed and synced when the block ends, rolled back when it raises.

        Raises:
            StoreUnavailable: it can't be written now; nothing of the block stays.
            Conflict: a row's key was there already.
            RuntimeError: the thread is in a write transaction of this database.
        """

    def exclusive(self) -> AbstractContextManager[Connection]:
        """As `writing`, and no other exclusive one runs meanwhile in any process."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection that sees committed rows and writes nothing. Raises StoreUnavailable."""

    def among(self, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
        """`column` is in the list bound to `name`: one statement text whatever the list's length."""

    def listed(self, values: Sequence[Any]) -> Any:
        """A list as the parameter that `among` expects."""

    def insert(self, table: Table) -> Any:
        """An INSERT that knows ON CONFLICT, as the dialect has it."""

    def in_turn(self, connection: Connection) -> None:
        """Until this transaction ends, no other one passes here: its numbers appear before theirs."""

    def alone(self, connection: Connection, keys: Sequence[str]) -> None:
        """Until this transaction ends, no other one passes here with any of these keys."""

    def overwritten(self) -> None:
        """After an erasure: no copy of what was overwritten stays in a file of the database's own, where
        that is in our hands."""

    def make_room(self, table: Table, latest: float) -> None:
        """Before rows of `table` up to this time are inserted: the parts for them are there."""

    def drop_parts(self, table: Table, before: float) -> int:
        """Drop the parts of `table` that lie wholly before a time; how many rows they had."""

    def free_bytes(self) -> int | None:
        """Room left on its disk; None where that can't be known from here."""

    def close(self) -> None: ...
