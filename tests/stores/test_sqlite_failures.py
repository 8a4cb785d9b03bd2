"""A disk that fails: a plain sentence, nothing half done, and at work again once it is mended."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sqlite3
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nba.errors import SchemaMismatch, StoreUnavailable
from nba.stores.open import open_store
from nba.stores.sql.checkpoint import Checkpointer
from nba.stores.sql.lock import FileLock
from nba.stores.sql.sqlite import SQLite
from nba.stores.sql.store import SqlStore
from tests.stores.contract import add_one, decision, version

SPAWN = multiprocessing.get_context("spawn")
NOBODY = 65_534


def _passes(target: Callable[[Path], None], folder: Path) -> None:
    """Run `target` in a process of its own, whose limits and rights it may spoil."""
    process = SPAWN.Process(target=target, args=(folder,))
    process.start()
    process.join(60)
    assert process.exitcode == 0


def _write(store: SqlStore, decision_id: str, size: int = 100) -> None:
    with store.transaction() as transaction:
        row = transaction.customers(["c-1"])["c-1"]
        row.version += 1
        transaction.save_customers([row])
        transaction.append_decisions([decision(decision_id, trace=b"x" * size)])


def _fill_the_disk(folder: Path) -> None:
    store = SqlStore(SQLite(folder / "nba.db"))
    _write(store, "d-1")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    with pytest.raises(StoreUnavailable, match=r"nba\.db can't be used now: the disk (is full|failed)"):
        _write(store, "d-2", size=1_000_000)
    assert store.decision("d-2") is None
    assert version(store, "c-1") == 1
    _write(store, "d-3")  # what still fits is taken
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    _write(store, "d-2", size=1_000_000)
    assert store.decision("d-2") is not None
    assert version(store, "c-1") == 3
    store.close()


def _no_room_for_a_ping(folder: Path) -> None:
    store = SqlStore(SQLite(folder / "nba.db"))
    store.ping()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    with pytest.raises(StoreUnavailable):
        store.ping()
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    store.ping()
    store.close()


def _open_without_rights(folder: Path) -> None:
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
    with pytest.raises(StoreUnavailable, match=r"nba\.db"):
        open_store(f"sqlite:///{folder / 'nba.db'}")


def _write_without_rights(folder: Path) -> None:
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
    store = SqlStore(SQLite(folder / "nba.db"))
    assert store.links() == {}
    with pytest.raises(StoreUnavailable, match=r"nba\.db can't be used now: it is read-only"):
        store.ping()
    with pytest.raises(StoreUnavailable, match="it is read-only"):
        _write(store, "d-1")
    if os.geteuid() != os.getuid():
        os.seteuid(os.getuid())
    for file in folder.iterdir():
        file.chmod(0o666)
    _write(store, "d-1")  # once it may be written it is, without a new start
    store.close()


def _let_others_in(path: Path) -> None:
    """The folders that pytest made above `path` are its owner's alone."""
    for folder in path.parents:
        if folder == Path(tempfile.gettempdir()):
            return
        folder.chmod(0o755)


def test_a_full_disk_refuses_what_does_not_fit_and_works_once_there_is_room(tmp_path: Path) -> None:
    _passes(_fill_the_disk, tmp_path)


def test_a_ping_fails_where_nothing_can_be_written(tmp_path: Path) -> None:
    _passes(_no_room_for_a_ping, tmp_path)


def test_a_store_that_may_only_be_read_is_unavailable_and_named(tmp_path: Path) -> None:
    _let_others_in(tmp_path)
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    tmp_path.chmod(0o755)
    open_store(f"sqlite:///{shelf / 'nba.db'}").close()
    for file in shelf.iterdir():
        file.chmod(0o444)
    shelf.chmod(0o555)
    _passes(_open_without_rights, shelf)


def test_a_read_only_file_can_be_read_and_refuses_writes(tmp_path: Path) -> None:
    _let_others_in(tmp_path)
    tmp_path.chmod(0o777)
    open_store(f"sqlite:///{tmp_path / 'nba.db'}").close()
    (tmp_path / "nba.db").chmod(0o444)
    (tmp_path / "nba.db.lock").chmod(0o666)
    _passes(_write_without_rights, tmp_path)


def test_a_path_that_can_not_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable, match=r"file/below/nba\.db can't be created: Not a directory"):
        open_store(f"sqlite:///{tmp_path}/file/below/nba.db")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreUnavailable, match="folder can't be used now: it can't be opened"):
        open_store(f"sqlite:///{tmp_path}/folder")


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("buy milk\n" * 1000)
    with pytest.raises(SchemaMismatch, match=r"notes\.txt is damaged or not a store"):
        open_store(f"sqlite:///{path}")
    assert path.read_text() == "buy milk\n" * 1000


def test_a_program_that_locks_the_file_without_asking_makes_the_store_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nba.stores.sql.sqlite.BUSY_SECONDS", 0.1)
    store = SqlStore(SQLite(tmp_path / "nba.db"))
    intruder = sqlite3.connect(tmp_path / "nba.db", isolation_level=None)
    intruder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="another program has locked it"):
        store.ping()
    intruder.execute("ROLLBACK")
    intruder.close()
    store.ping()
    store.close()


def test_the_log_is_moved_into_the_file_while_threads_write_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "nba.db"
    store = SqlStore(SQLite(path))
    checkpointer = Checkpointer(path, FileLock(tmp_path / "nba.db.lock"), threshold=100_000)
    log = tmp_path / "nba.db-wal"
    largest = 0
    for _ in range(60):
        add_one(store, "c-1", 5)
        checkpointer.after_commit()
        largest = max(largest, log.stat().st_size)
    checkpointer.close()
    checkpointer.run()
    assert 100_000 <= largest < 1_000_000
    assert log.stat().st_size == 0
    assert version(store, "c-1") == 300
    store.close()


def test_a_reader_in_the_way_of_a_checkpoint_delays_it_and_stops_nobody(tmp_path: Path) -> None:
    database = SQLite(tmp_path / "nba.db")
    store = SqlStore(database)
    add_one(store, "c-1", 5)
    reader = sqlite3.connect(tmp_path / "nba.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM customers").fetchall()
    add_one(store, "c-1", 5)
    moved = threading.Thread(target=database.checkpoint)
    moved.start()
    moved.join(timeout=10)
    assert not moved.is_alive()
    assert (tmp_path / "nba.db-wal").stat().st_size > 0
    add_one(store, "c-1", 5)
    reader.close()
    database.checkpoint()
    assert (tmp_path / "nba.db-wal").stat().st_size == 0
    assert version(store, "c-1") == 15
    store.close()
