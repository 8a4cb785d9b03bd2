"""Alembic's way in. `migrate.py` hands over an open connection, its transaction and the settings."""

from alembic import context

from nba.stores.sql.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=context.config.attributes["version_table"],
)
context.run_migrations()
