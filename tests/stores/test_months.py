"""PostgreSQL's tables in parts by month: every row has a part, and what is forgotten goes with its part."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData
from sqlalchemy.engine import make_url

from nba.stores.open import open_store
from nba.stores.ports import Store
from nba.stores.sql.migrate import VERSION_TABLE, migrate
from nba.stores.sql.months import Month, Parts
from nba.stores.sql.postgres import Postgres
from nba.stores.sql.tables import DECISIONS, IDS, METADATA, TOUCHPOINTS
from tests.stores.contract import contact, decision, touchpoint

FAR = datetime(2199, 12, 31, tzinfo=UTC).timestamp()
LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC).timestamp()


@pytest.fixture
def database(postgres_url: str) -> Iterator[Postgres]:
    database = Postgres(make_url(postgres_url))
    yield database
    database.close()


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    store = open_store(postgres_url)
    yield store
    store.close()


def _parts(database: Postgres) -> Parts:
    with database.reading() as connection:
        return Parts.of(connection, DECISIONS)


def _append(store: Store, *moments: float) -> None:
    """A decision and a touchpoint at each moment, named by it."""
    with store.transaction() as transaction:
        transaction.append_decisions([decision(f"d{at:.0f}", decided_at=at) for at in moments])
        transaction.append_touchpoints([touchpoint(f"t{at:.0f}", occurred_at=at) for at in moments])


def _kept(store: Store) -> list[float]:
    """The moments of what is there, which must be the same for decisions and touchpoints."""
    decided = [row.decided_at for part in store.decisions(-1e12, 1e12) for row in part]
    assert [row.occurred_at for part in store.touchpoints(-1e12, 1e12) for row in part] == decided
    return decided


@pytest.mark.parametrize(
    ("moment", "name"),
    [
        ("2026-11-30T23:59:59.999999+00:00", "2026_11"),
        ("2026-12-01T00:00:00+00:00", "2026_12"),
        ("1969-12-31T23:00:00+00:00", "1969_12"),
        ("2000-02-29T12:00:00+00:00", "2000_02"),
    ],
)
def test_a_moment_lies_in_its_month(moment: str, name: str) -> None:
    at = datetime.fromisoformat(moment).timestamp()
    month = Month.at(at)
    assert str(month) == name
    assert month.start <= at < (month + 1).start
    assert Month.at(month.start) == month


def test_a_row_of_any_time_has_a_part(store: Store, database: Postgres) -> None:
    first = _parts(database).first
    moments = [LONG_AGO, 0.5, first.start - 1, first.start, (first + 30).start, FAR]
    _append(store, *moments)
    assert _kept(store) == sorted(moments)
    for at in moments:
        assert store.decision(f"d{at:.0f}") == decision(f"d{at:.0f}", decided_at=at)


def test_months_are_made_ahead_and_no_more_than_ten_years_of_them(store: Store, database: Postgres) -> None:
    first = _parts(database).first
    _append(store, first.start)
    assert (_parts(database).until, _parts(database).last) == (first + 3, first + 120)
    _append(store, (first + 3).start)
    assert _parts(database).until == first + 6
    _append(store, FAR)
    assert _parts(database).until == first + 120


def test_a_month_is_made_inside_a_transaction_that_has_written_to_others(
    store: Store, database: Postgres
) -> None:
    first = _parts(database).first
    with store.transaction() as transaction:
        transaction.append_decisions([decision("a", decided_at=first.start)])
        assert list(transaction.answers(["a"])) == ["a"]
        transaction.append_decisions([decision("b", decided_at=(first + 9).start)])
        assert list(transaction.answers(["a", "b"])) == ["a", "b"]
        transaction.activate("b", at=5.0)
    assert store.decision("b") == decision("b", decided_at=(first + 9).start, activated_at=5.0)


def test_a_month_that_several_need_at_once_is_made_once(store: Store, postgres_url: str) -> None:
    stores = [open_store(postgres_url) for _ in range(4)]
    first = Month.at(datetime(2030, 1, 1, tzinfo=UTC).timestamp())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: _append(stores[i], (first + 5).start + i), range(4)))
    assert len(_kept(store)) == 4
    for other in stores:
        other.close()


def test_whole_months_are_dropped_and_the_rest_is_deleted(store: Store, database: Postgres) -> None:
    first = _parts(database).first
    moments = [LONG_AGO, first.start + 1, (first + 1).start + 1, (first + 2).start + 1, (first + 2).start + 9]
    _append(store, *moments)
    gone = store.prune((first + 2).start + 5)
    assert (gone["decisions"], gone["touchpoints"]) == (4, 4)
    assert _kept(store) == moments[4:]
    assert _parts(database).first == first + 2
    with database.reading() as connection:
        for table in (DECISIONS, TOUCHPOINTS):
            left = {
                row[0] for row in connection.exec_driver_sql(f"SELECT tableoid::regclass::text FROM {table}")
            }
            assert left == {f"{table}_{first + 2}"}


def test_what_comes_late_for_a_month_that_was_dropped_has_a_part_too(
    store: Store, database: Postgres
) -> None:
    first = _parts(database).first
    late = first.start + 5
    _append(store, first.start + 1)
    store.prune((first + 1).start)
    _append(store, late)
    assert _kept(store) == [late]
    assert sum(store.prune((first + 1).start).values()) == 2
    assert _kept(store) == []


def test_a_store_pruned_into_the_future_goes_on(store: Store, database: Postgres) -> None:
    first = _parts(database).first
    _append(store, first.start + 1)
    store.prune((first + 40).start)
    moments = [first.start + 2, (first + 4).start, (first + 41).start]
    _append(store, *moments)
    assert _kept(store) == moments


def test_a_reader_between_two_chunks_does_not_stop_a_drop(store: Store, database: Postgres) -> None:
    first = _parts(database).first
    _append(store, *(first.start + i for i in range(4)), (first + 1).start)
    chunks = store.decisions(-1e12, 1e12, chunk=2)
    assert len(next(chunks)) == 2
    assert store.prune((first + 1).start)["decisions"] == 4
    assert [row.decided_at for part in chunks for row in part] == [(first + 1).start]


def test_a_contact_outlives_a_decision_of_the_month_before(store: Store, database: Postgres) -> None:
    end = (_parts(database).first + 1).start
    with store.transaction() as transaction:
        transaction.append_decisions([decision("d-1", decided_at=end - 1)])
        transaction.append_contacts([contact("d-1", send_at=end + 1)])
    gone = store.prune(end)
    assert (gone["decisions"], gone["contacts"]) == (1, 0)
    with store.transaction() as transaction:
        assert len(transaction.contacts(["s-1"], 0.0)) == 1


def test_the_migrations_make_what_the_tables_say(database: Postgres) -> None:
    """But for the parts, and the keys of tables that have them."""
    tables = MetaData()
    for table in (*METADATA.sorted_tables, *IDS.sorted_tables):
        table.to_metadata(tables)

    def told(_: object, name: str | None, kind: str, *__: object) -> bool:
        return kind != "table" or name in tables.tables

    with database.exclusive() as connection:
        migrate(connection)
        options = {"compare_type": True, "version_table": VERSION_TABLE, "include_object": told}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, tables) == []


def test_what_an_id_leads_to_is_read_from_one_part(store: Store, database: Postgres) -> None:
    first = _parts(database).first
    _append(store, first.start, (first + 2).start)
    at = (first + 2).start
    with database.reading() as connection:
        plan = connection.exec_driver_sql(
            f"EXPLAIN SELECT * FROM decisions WHERE decision_id = 'x' AND decided_at BETWEEN {at} AND {at}"
        )
        read = [row[0] for row in plan if "decisions_" in row[0]]
    assert read
    assert all(f"decisions_{first + 2}" in line for line in read)
