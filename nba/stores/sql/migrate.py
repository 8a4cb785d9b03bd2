"""Bring a store's tables up to what this program knows, by Alembic, inside the caller's transaction."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from nba.errors import SchemaMismatch

FOLDER = Path(__file__).with_name("migrations")
# Oldest first; listed here so that an up-to-date store opens without loading Alembic.
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
VERSION_TABLE = "nba_schema"  # its own name: MLflow may live in the same database and has `alembic_version`


def revision(connection: Connection) -> str | None:
    """The last migration that the store has seen; None for an empty one."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()


def migrate(connection: Connection, to: str = REVISIONS[-1]) -> None:
    """Run the migrations that are missing. The caller holds the store's lock and commits.

    Args:
        to: the last one to run.

    Raises:
        SchemaMismatch: the store was written by a newer version; nothing is changed.
    """
    at = revision(connection)
    if at == to:
        return
    if at is not None and at not in REVISIONS:
        raise SchemaMismatch(f"the store has schema {at}, this program knows {REVISIONS[-1]} at the latest")
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes.update(connection=connection, version_table=VERSION_TABLE)
    command.upgrade(config, to)
