"""A PostgreSQL server that fails: a plain sentence, nothing half done, at work again once it is back."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from nba.errors import CallOperator, Conflict, InvalidInput, SchemaMismatch, StoreUnavailable
from nba.stores.open import open_store
from nba.stores.ports import DecisionRow, Store
from nba.stores.sql.migrate import VERSION_TABLE
from nba.stores.sql.postgres_errors import told
from tests.stores.contract import add_one, decision, version
from tests.stores.postgres import administrator

PASSWORD = "hunter2"


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    store = open_store(postgres_url)
    yield store
    store.close()


def _hang_up(url: str) -> None:
    """End every connection to this database but the one that asks."""
    at = make_url(url)
    with administrator(at.set(database="postgres")) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [at.database]
        )


@contextmanager
def _closed(url: str) -> Iterator[None]:
    """Hang up, and accept nobody meanwhile."""
    at = make_url(url)
    with administrator(at.set(database="postgres")) as admin:
        admin.execute(f'ALTER DATABASE "{at.database}" ALLOW_CONNECTIONS false')
        _hang_up(url)
        try:
            yield
        finally:
            admin.execute(f'ALTER DATABASE "{at.database}" ALLOW_CONNECTIONS true')


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(StoreUnavailable) as refusal:
        open_store(f"postgresql://ada:{PASSWORD}@127.0.0.1:{port}/shop")
    expected = f"the store shop at 127.0.0.1:{port} can't be used now: the server can't be reached"
    assert str(refusal.value) == expected
    assert PASSWORD not in "".join(traceback.format_exception(refusal.value))


def test_a_database_that_does_not_exist_is_told_with_what_to_do(postgres_url: str) -> None:
    url = make_url(postgres_url).set(database="nba_test_none", password=PASSWORD)
    with pytest.raises(StoreUnavailable, match=r"nba_test_none .* make it with \"createdb\"") as refusal:
        open_store(url.render_as_string(hide_password=False))
    assert PASSWORD not in "".join(traceback.format_exception(refusal.value))


@pytest.mark.parametrize("url", ["postgresql://", "postgresql://host", "postgresql://host:port/x"])
def test_a_url_without_a_database_is_refused_with_the_setting(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"NBA_STORE_URL: a PostgreSQL store is postgresql://"):
        open_store(url)


def test_a_plain_url_opens_the_same_store(postgres_url: str) -> None:
    one = open_store(postgres_url)
    two = open_store(postgres_url.replace("postgresql+psycopg://", "postgresql://"))
    assert one.secret == two.secret
    one.close()
    two.close()


def test_a_hung_up_store_fails_once_and_then_works_with_new_connections(
    store: Store, postgres_url: str
) -> None:
    with ThreadPoolExecutor(6) as pool:  # so that several idle connections are dead
        list(pool.map(lambda i: add_one(store, f"c-{i}", 3), range(6)))
        list(pool.map(lambda _: store.links(), range(12)))
    _hang_up(postgres_url)
    assert len(store.links()) == 6
    with pytest.raises(StoreUnavailable, match=r"shutting down|connection was lost"):
        add_one(store, "c-1", 1)
    for i in range(6):
        add_one(store, f"c-{i}", 1)
        assert version(store, f"c-{i}") == 4


def test_a_transaction_that_is_hung_up_on_leaves_nothing(store: Store, postgres_url: str) -> None:
    for later in ([decision("d-2")], []):  # either the next statement finds out, or the commit
        with pytest.raises(StoreUnavailable):
            _append_and_hang_up(store, postgres_url, later)
    assert list(store.decisions(0.0, 1e9)) == []
    with store.transaction() as transaction:
        transaction.append_decisions([decision("d-1")])
    assert store.decision("d-1") == decision("d-1")


def _append_and_hang_up(store: Store, url: str, later: list[DecisionRow]) -> None:
    with store.transaction() as transaction:
        transaction.append_decisions([decision("d-1")])
        _hang_up(url)
        transaction.append_decisions(later)


def test_a_store_recovers_by_itself_under_load(store: Store, postgres_url: str) -> None:
    """Four writers add until each has been answered forty times; every answered one is there, once."""

    def write(writer: int) -> tuple[int, int]:
        done = failed = 0
        while done < 40:
            try:
                add_one(store, f"c-{writer}", 1)
                done += 1
            except StoreUnavailable:
                failed += 1
        return done, failed

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, writer) for writer in range(4)]
        for _ in range(3):
            with _closed(postgres_url):
                with pytest.raises(StoreUnavailable):
                    store.ping()
                with pytest.raises(StoreUnavailable):
                    store.serving()
        counts = [writer.result() for writer in writers]
    store.ping()
    for writer, (done, failed) in enumerate(counts):
        assert done <= version(store, f"c-{writer}") <= done + failed  # a commit may be lost on its way back


def test_a_database_that_is_read_only_is_unavailable(store: Store, postgres_url: str) -> None:
    at = make_url(postgres_url)
    with administrator(at.set(database="postgres")) as admin:
        admin.execute(f'ALTER DATABASE "{at.database}" SET default_transaction_read_only = on')
        _hang_up(postgres_url)
        with pytest.raises(StoreUnavailable):  # the old connection
            store.ping()
        with pytest.raises(StoreUnavailable, match="it is read-only"):
            store.ping()
        admin.execute(f'ALTER DATABASE "{at.database}" RESET default_transaction_read_only')
        _hang_up(postgres_url)
    with pytest.raises(StoreUnavailable):
        store.ping()
    store.ping()


def test_a_newer_schema_is_refused_and_left_as_it_is(postgres_url: str) -> None:
    open_store(postgres_url).close()
    with administrator(make_url(postgres_url)) as admin:
        admin.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
        with pytest.raises(SchemaMismatch, match="schema 9999"):
            open_store(postgres_url)
        assert admin.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall() == [("9999",)]


def _reported(state: str | None, words: str = "Key (customer_id)=(c-17)") -> Any:
    cause = type("Reported", (Exception,), {"sqlstate": state})(words)
    return told(OperationalError("INSERT …", {}, cause), make_url(f"postgresql://ada:{PASSWORD}@db/shop"))


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("53300", "the server has no connection left"),
        ("53100", "the disk is full"),
        ("53400", "the server is short of resources"),
        ("57P01", "the server is shutting down or starting up"),
        ("57014", "a statement took too long"),
        ("08006", "the connection was lost"),
        ("22P05", "the database refused (22P05)"),
    ],
)
def test_what_the_server_reports_is_told_without_its_data(state: str, reason: str) -> None:
    error = _reported(state)
    assert isinstance(error, StoreUnavailable)
    assert str(error) == f"the store shop at db:5432 can't be used now: {reason}"


@pytest.mark.parametrize("state", ["23505", "40001", "40P01"])
def test_where_another_came_first_it_is_a_conflict_that_names_nothing(state: str) -> None:
    error = _reported(state)
    assert isinstance(error, Conflict)
    assert "c-17" not in str(error)


def test_too_many_clients_are_told_apart_from_a_server_that_is_gone() -> None:
    crowded = _reported(None, "FATAL:  sorry, too many clients already")
    assert str(crowded).endswith("the server has no connection left")
    assert str(_reported(None, "Connection refused")).endswith("the server can't be reached")


def test_a_value_that_postgres_never_takes_is_no_outage(store: Store) -> None:
    """Else whoever sent it would send it again for ever, and everybody else would be told to wait."""
    with pytest.raises(CallOperator, match="refused a value"), store.transaction() as transaction:
        transaction.mark_applied("a\0b")
    store.ping()
