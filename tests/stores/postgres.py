"""A database of its own on the server that `NBA_TEST_POSTGRES_URL` names, for as long as a test runs."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy.engine import URL, make_url

from nba.stores.sql.migrate import VERSION_TABLE

SETTING = "NBA_TEST_POSTGRES_URL"


def server() -> URL:
    """The server to test on; without one the test is skipped, which under CI is a failure."""
    url = os.environ.get(SETTING)
    if url is None:
        reason = f"no PostgreSQL to test on; set {SETTING} to postgresql+psycopg://user@host:port/database"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return make_url(url)


@contextmanager
def fresh_database() -> Iterator[str]:
    """The URL of an empty database, dropped at the end whoever is connected to it."""
    url = server()
    name = f"nba_test_{secrets.token_hex(6)}"
    with administrator(url) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def empty(url: str) -> None:
    """Take all rows out of a database that `fresh_database` made. Its tables stay."""
    with administrator(make_url(url)) as admin:
        found = admin.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> %s",
            [VERSION_TABLE],
        )
        # Not TRUNCATE, which makes a new file for each table and index.
        deletions = "; ".join(f'DELETE FROM "{name}"' for (name,) in found)
        admin.execute(deletions.encode())


@contextmanager
def administrator(url: URL) -> Iterator[psycopg.Connection]:
    """A connection past the store, to make, watch and disturb databases."""
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        yield connection
