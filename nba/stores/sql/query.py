"""The rows of a query on any database that SQLAlchemy has a driver for: read only, some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from nba.errors import InvalidInput


def named(url: str) -> str:
    """The database as messages name it: without password. Raises InvalidInput of `from-db`."""
    return _parsed(url).render_as_string(hide_password=True)


def rows(url: str, query: str, size: int) -> Iterator[tuple[list[str], list[tuple[Any, ...]]]]:
    """Column names and up to `size` rows at once; once with no rows where there are none.

    Raises:
        InvalidInput: the database can't be reached, or the query can't be run; names the option.
    """
    engine = _engine(_parsed(url))
    try:
        with engine.connect() as connection:
            yield from _streamed(connection, query, size)
    except DBAPIError as error:
        raise InvalidInput.of("from-db", f"can't be connected to: {_reason(error)}") from None
    finally:
        engine.dispose()


def _streamed(
    connection: Connection, query: str, size: int
) -> Iterator[tuple[list[str], list[tuple[Any, ...]]]]:
    try:
        read = connection.execution_options(stream_results=True, no_parameters=True)
        with closing(read.exec_driver_sql(query)) as result:
            if not result.returns_rows:
                raise InvalidInput.of("query", "returns no rows; write a SELECT")
            names = list(result.keys())
            some = result.fetchmany(size)
            yield names, [tuple(row) for row in some]
            while some := result.fetchmany(size):
                yield names, [tuple(row) for row in some]
    except DBAPIError as error:
        raise InvalidInput.of("query", f"can't be run: {_reason(error)}") from None


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        detail = "is no database URL; write it as postgresql://user@host/shop or sqlite:///shop.db"
        raise InvalidInput.of("from-db", detail) from None


def _engine(url: URL) -> Engine:
    """Connections that can write nothing, as far as the database knows how."""
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise InvalidInput.of("from-db", f"there is no file {url.database or ''}")
    try:
        engine = create_engine(url, hide_parameters=True)
    except (NoSuchModuleError, ImportError, SQLAlchemyError) as error:
        detail = f"no driver is installed for {url.drivername}: {error}"
        raise InvalidInput.of("from-db", detail) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _query_only)
    if engine.dialect.name == "postgresql":
        return engine.execution_options(postgresql_readonly=True)
    return engine


def _query_only(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA query_only = 1")


def _reason(error: DBAPIError) -> str:
    """The first line of what the driver says."""
    return str(error.orig).strip().partition("\n")[0] or "the database refused"
