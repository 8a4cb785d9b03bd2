"""Rows of a database query are ingested as those of a file, once, and nothing is ever written there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from nba.errors import InvalidInput
from tests.stores.postgres import fresh_database
from tests.training.ingest.look import quarantined, rows
from tests.training.ingest.test_command import _run as run

TABLE = "CREATE TABLE orders (id INTEGER, client TEXT, at TIMESTAMP, amount NUMERIC, store TEXT)"
ORDERS = [
    (1, "c-1", "2026-01-05 10:00:00", 9.5, "Delft"),
    (2, "c 2", "2026-01-06 10:00:00", 1.0, None),
    (3, "c-3", "2026-01-07 10:00:00", None, "Ghent 100%"),
]
MAPPING = """
sources:
  - {match: query, customer: client, type: {constant: purchase}, time: at, value: amount, id: id,
     properties: [store]}
"""
SELECT = "SELECT id, client, at, amount, store FROM orders WHERE store IS NULL OR store NOT LIKE '%x%'"


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of somebody's database of orders."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.yaml").write_text(MAPPING)
    if request.param == "sqlite":
        with sqlite3.connect("shop.db") as connection:
            connection.execute(TABLE)
            connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", ORDERS)
        yield "sqlite:///shop.db"
        return
    with fresh_database() as url:
        with psycopg.connect(url.replace("+psycopg", "")) as postgres:
            postgres.execute(TABLE)
            postgres.cursor().executemany("INSERT INTO orders VALUES (%s, %s, %s, %s, %s)", ORDERS)
        yield url.replace("+psycopg", "")


def test_a_query_is_ingested_once_however_often_it_is_run(shop: str, tmp_path: Path) -> None:
    for accepted, duplicates in ((2, 0), (0, 2)):
        told = run("--from-db", shop, "--query", SELECT, "--mapping", "m.yaml", "--as-of", "2026-02-01")
        assert f"accepted {accepted}  duplicates {duplicates}  quarantined 1" in told.stdout
    (first, last) = rows(tmp_path)
    assert (first["event_id"], first["customer_id"], first["value"]) == ("1", "c-1", 9.5)
    assert (last["value"], last["properties"]) == (0.0, {"store": "Ghent 100%"})
    assert [line["line"] for line in quarantined(tmp_path)][-1] == 2


def test_columns_named_as_the_http_events_need_no_mapping(shop: str, tmp_path: Path) -> None:
    select = (
        "SELECT 'e' || id AS event_id, 'c1' AS customer_id, 'visit' AS type, at AS occurred_at FROM orders"
    )
    told = run("--from-db", shop, "--query", select, "--as-of", "2026-02-01")
    assert "accepted 3" in told.stdout


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("SELEC 1", "query: can't be run: "),
        ("SELECT client FROM nowhere", "query: can't be run: "),
        ("DELETE FROM orders", "query: "),
        (
            "SELECT client, at, amount, store, client AS id, at FROM orders",
            "query: names the column 'at' twi",
        ),
        ("SELECT id, at, amount, store, client AS customer FROM orders", "customer: there is no column 'cli"),
    ],
)
def test_a_query_that_is_wrong_is_told_and_changes_nothing(shop: str, query: str, error: str) -> None:
    with pytest.raises(InvalidInput, match=error):
        run("--from-db", shop, "--query", query, "--mapping", "m.yaml")
    assert "accepted 2" in run("--from-db", shop, "--query", SELECT, "--mapping", "m.yaml").stdout


def test_rows_without_an_id_are_told_how_to_name_the_column_that_is_one(shop: str) -> None:
    with pytest.raises(InvalidInput, match=r"event_id: is needed.*--mapping FILE"):
        run("--from-db", shop, "--query", SELECT)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), "source: name files, or a database"),
        (("--query", "SELECT 1"), "from-db: say which database"),
        (("a.csv", "--from-db", "sqlite:///x.db", "--query", "SELECT 1"), "source: read files and databases"),
        (("--from-db", "what", "--query", "SELECT 1"), "from-db: is no database URL"),
        (("--from-db", "sqlite:///x.db", "--query", "SELECT 1"), "from-db: there is no file x.db"),
        (("--from-db", "oracle9://x/y", "--query", "SELECT 1"), "from-db: no driver is installed for oracle"),
        (
            ("--from-db", "postgresql://u:hush@127.0.0.1:1/x", "--query", "SELECT 1"),
            "from-db: can't be connected to",
        ),
    ],
)
def test_what_can_t_be_read_names_the_option_and_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], error: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match=error) as raised:
        run(*arguments)
    assert "hush" not in str(raised.value)


def test_rows_without_ids_are_refused(shop: str) -> None:
    with pytest.raises(InvalidInput, match="event_id: is needed"):
        run(
            "--from-db",
            shop,
            "--query",
            "SELECT client AS customer_id, 'v' AS type, at AS occurred_at FROM orders",
        )
