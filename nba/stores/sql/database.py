"""What differs between databases, in one port: the lock, the connections, lists as parameters, the errors.

`SqlStore` is written against this and plain SQLAlchemy Core; a further database is one more `Database`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection


class Database(Protocol):
    """Connections to one database, safe to use from several threads. Open it after forking, not before."""

    def exclusive(self) -> AbstractContextManager[Connection]:
        """The one write transaction, over all threads and processes; others wait.

        Committed and synced when the block ends, rolled back when it raises.

        Raises:
            StoreUnavailable: it can't be written now; nothing of the block stays.
            Conflict: a row's key was there already.
        """

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection that sees committed rows and writes nothing. Raises StoreUnavailable."""

    def among(self, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
        """`column` is in the list bound to `name`: one statement text whatever the list's length."""

    def listed(self, values: Sequence[str]) -> Any:
        """A list as the parameter that `among` expects."""

    def close(self) -> None: ...
