"""The tables as SQLite has them once all migrations ran, as text. To accept a change:

python -m tests.stores.schema > tests/golden/schema.sql
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from sqlalchemy import Connection, text

from nba.stores.sql.migrate import migrate
from nba.stores.sql.sqlite import SQLite


def rendered(connection: Connection) -> str:
    """Every CREATE statement, by name."""
    found = connection.execute(text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"))
    statements = (sql.replace("\t", "    ").replace(" \n", "\n").strip() for sql in found.scalars())
    return "".join(f"{sql};\n\n" for sql in statements).rstrip("\n") + "\n"


def migrated(folder: Path) -> str:
    database = SQLite(folder / "migrated.db")
    with database.exclusive() as connection:
        migrate(connection)
        sql = rendered(connection)
    database.close()
    return sql


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(migrated(Path(folder)), end="")
