"""Open a store by its URL: the one table of the stores there are."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from nba.errors import InvalidInput
from nba.stores.ports import Clock, Store

if TYPE_CHECKING:
    from nba.stores.sql.database import Database

ENTRY_POINTS = "nba.stores"  # a store of one's own: scheme = "module:function", called like those below
SETTING = "NBA_STORE_URL"
_SQLITE = "sqlite:///"


def default_url(directory: Path) -> str:
    """`NBA_STORE_URL`, else `nba.db` in `directory`."""
    return os.environ.get(SETTING) or f"{_SQLITE}{directory / 'nba.db'}"


def open_store(url: str, clock: Clock | None = None) -> Store:
    """Open the store at `url`, made and migrated under a lock where needed.

    Args:
        url: `sqlite:///path` (a fourth slash where the path is absolute), or `memory:` for one that is
            forgotten at the end; a path alone is SQLite; `postgresql://user:password@host:port/database`
            for PostgreSQL, where the database must exist; other schemes by entry point `nba.stores`.
        clock: for a new store, `live` if None; an existing one has its own, which None accepts.

    Raises:
        InvalidInput: no such kind of store, no path or no database's name.
        SchemaMismatch: written by a newer version, or on another clock.
        StoreUnavailable: it can't be created, reached or written; the path or the host is named.
    """
    if ":" not in url:
        url = f"{_SQLITE}{url}"
    scheme = url.partition(":")[0]
    opener = _OPENERS.get(scheme)
    if opener is None:
        plugged = entry_points(group=ENTRY_POINTS, name=scheme)
        if not plugged:
            known = ", ".join(sorted({*_OPENERS, *entry_points(group=ENTRY_POINTS).names}))
            raise InvalidInput.of(SETTING, f"there is no store for this scheme, only for {known}")
        opener = next(iter(plugged)).load()
    return opener(url, clock)


def _sqlite(url: str, clock: Clock | None) -> Store:
    path = url.removeprefix(_SQLITE)
    if path in ("", url) or "?" in path:
        raise InvalidInput.of(SETTING, "a SQLite store is sqlite:///path, without options")
    from nba.stores.sql.sqlite import SQLite

    return _opened(SQLite(Path(path)), clock)


def _postgres(url: str, clock: Clock | None) -> Store:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or not parsed.database:
        raise InvalidInput.of(SETTING, "a PostgreSQL store is postgresql://user:password@host:port/database")
    from nba.stores.sql.postgres import Postgres

    return _opened(Postgres(parsed), clock)


def _opened(database: Database, clock: Clock | None) -> Store:
    from nba.stores.sql.store import SqlStore

    try:
        return SqlStore(database, clock)
    except BaseException:
        database.close()
        raise


def _memory(url: str, clock: Clock | None) -> Store:
    from nba.stores.memory import MemoryStore

    return MemoryStore(clock or "live")


_OPENERS: dict[str, Callable[[str, Clock | None], Store]] = {
    "sqlite": _sqlite,
    "postgresql": _postgres,
    "postgresql+psycopg": _postgres,
    "memory": _memory,
}
