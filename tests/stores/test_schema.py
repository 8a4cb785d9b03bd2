"""The schema is golden, the migrations make it, and an unknown one is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from nba.errors import SchemaMismatch
from nba.stores.open import open_store
from nba.stores.sql.migrate import FOLDER, REVISIONS, VERSION_TABLE, migrate, revision
from nba.stores.sql.sqlite import SQLite
from nba.stores.sql.tables import META, METADATA
from tests.stores.contract import DATABASES, SHARED, contact
from tests.stores.schema import migrated, rendered

GOLDEN = Path(__file__).parents[1] / "golden" / "schema.sql"


def test_the_migrations_make_the_golden_schema(tmp_path: Path) -> None:
    assert migrated(tmp_path) == GOLDEN.read_text()


def test_the_migrations_make_what_the_tables_say(tmp_path: Path) -> None:
    database = SQLite(tmp_path / "metadata.db")
    with database.exclusive() as connection:
        METADATA.create_all(connection)
        declared = rendered(connection).split(";\n")
    database.close()
    ran = [sql for sql in migrated(tmp_path).split(";\n") if VERSION_TABLE not in sql]
    assert [sql.strip() for sql in ran] == [sql.strip() for sql in declared]


def test_alembic_finds_nothing_left_to_migrate(tmp_path: Path) -> None:
    database = SQLite(tmp_path / "nba.db")
    with database.exclusive() as connection:
        migrate(connection)
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "version_table": VERSION_TABLE}
        )
        assert compare_metadata(context, METADATA) == []
    database.close()


def test_every_migration_is_listed_in_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    script = ScriptDirectory.from_config(config)
    assert tuple(step.revision for step in script.walk_revisions())[::-1] == REVISIONS


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    database = SQLite(tmp_path / "nba.db")
    for _ in range(2):
        with database.exclusive() as connection:
            migrate(connection)
            assert revision(connection) == REVISIONS[-1]
    database.close()


def test_a_newer_schema_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "nba.db"
    open_store(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(SchemaMismatch, match="schema 9999"):
        open_store(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        assert connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone() == ("9999",)


def test_a_store_lives_beside_the_tables_of_others(tmp_path: Path) -> None:
    path = tmp_path / "nba.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.execute("INSERT INTO alembic_version VALUES ('of another program')")
    store = open_store(f"sqlite:///{path}")
    store.ping()
    store.close()


def test_a_store_of_the_first_schema_keeps_its_rows(tmp_path: Path) -> None:
    """Made by the first migration alone, filled as the first version did, then opened."""
    path = tmp_path / "nba.db"
    _made(path, "0001")
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO meta VALUES (1, zeroblob(32), 'live', 0)")
        for row in (("d-1", 1.5, "reserved", None), ("d-2", 2.5, "held", 9.0)):
            connection.execute(
                "INSERT INTO contacts VALUES (?, 's-1', 'bogo', 'email', 'marketing', ?, ?, ?)", row
            )
    store = open_store(f"sqlite:///{path}")
    values = {"category": "", "cost": 0.0, "day": None}
    with store.transaction() as transaction:
        assert transaction.contacts(["s-1"], 0.0) == [
            contact("d-1", send_at=1.5, **values),
            contact("d-2", send_at=2.5, status="held", expires_at=9.0, **values),
        ]
    store.close()
    database = SQLite(path)
    with database.exclusive() as connection:
        assert rendered(connection) == GOLDEN.read_text()
    database.close()


@pytest.mark.parametrize("name", ["sqlite", "postgresql"])
def test_a_store_of_the_third_schema_keeps_its_publications(
    name: str, request: pytest.FixtureRequest
) -> None:
    """Each goes by its own number, decides for everybody, and the next one counts on."""
    url = SHARED[name](request)
    database = DATABASES[name](url)
    with database.exclusive() as connection:
        migrate(connection, "0003")
        connection.execute(META.insert(), {"id": 1, "secret": bytes(32), "clock": "live", "pings": 0})
        for number, version in enumerate(("aa", "bb", "aa"), start=1):
            connection.execute(
                text(
                    "INSERT INTO publications VALUES (:number, 'policy', :version, 'ridge', 5, 'ada', 'why')"
                ),
                {"number": number, "version": version},
            )
    database.close()
    store = open_store(url)
    assert [(p.number, p.version, p.name, p.share, p.evidence) for p in store.audit()] == [
        (1, "aa", "ridge@1", 1.0, ""),
        (2, "bb", "ridge@2", 1.0, ""),
        (3, "aa", "ridge@3", 1.0, ""),
    ]
    back = store.publish(
        kind="policy", version="bb", specification="ridge", at=6.0, who="bo", why="", origin=2
    )
    assert (back.number, back.name) == (4, "ridge@2")
    lease = store.lease("learn", "a", 1.0, 1.0)
    assert store.note("a", 1.0, b"", lease).number == 1
    store.close()


def test_a_migrated_store_of_the_third_schema_has_the_golden_one(tmp_path: Path) -> None:
    path = tmp_path / "nba.db"
    _made(path, "0003")
    open_store(f"sqlite:///{path}").close()
    database = SQLite(path)
    with database.exclusive() as connection:
        assert rendered(connection) == GOLDEN.read_text()
    database.close()


def test_a_migrated_store_of_the_fourth_schema_has_the_golden_one_and_takes_tickets(tmp_path: Path) -> None:
    path = tmp_path / "nba.db"
    _made(path, "0004")
    store = open_store(f"sqlite:///{path}")
    assert (store.tickets(), store.due(0.0, 1), store.deliveries()) == ([], [], [])
    store.close()
    database = SQLite(path)
    with database.exclusive() as connection:
        assert rendered(connection) == GOLDEN.read_text()
    database.close()


def _made(path: Path, to: str) -> None:
    """A store as it was at this migration."""
    database = SQLite(path)
    with database.exclusive() as connection:
        migrate(connection, to)
        assert revision(connection) == to
    database.close()
