"""Move SQLite's write-ahead log into its file, outside the commit path.

Left to itself, SQLite does this inside whichever commit crosses 1,000 pages, and that commit waits for it.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from nba.errors import StoreUnavailable
from nba.stores.sql.lock import FileLock

THRESHOLD_BYTES = 64 * 2**20
PASSES = 3


class Checkpointer:
    """Watches the log's size after each commit; where it is due, one thread of its own does the work.

    Most of the log moves while others write; only what they wrote meanwhile moves under the store's lock,
    after which the log is cut to nothing. Where a reader is in the way it is tried again a threshold later.
    """

    def __init__(self, path: Path, lock: FileLock, threshold: int = THRESHOLD_BYTES) -> None:
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._lock = lock
        self._threshold = threshold
        self._due = threshold
        self._one_at_a_time = threading.Lock()
        self._thread: threading.Thread | None = None

    def after_commit(self) -> None:
        """Cheap: one `stat`. Raises nothing, since the commit has happened."""
        if self._size() < self._due or not self._one_at_a_time.acquire(blocking=False):
            return
        thread = threading.Thread(target=self._background, name="nba-checkpoint")
        try:
            thread.start()
            self._thread = thread
        except RuntimeError:  # no more threads, or the interpreter is going down: the next commit asks again
            self._one_at_a_time.release()

    def run(self) -> None:
        """Checkpoint now, in this thread. A log that can't be moved stays, and loses nothing by it."""
        with self._one_at_a_time:
            self._checkpoint()

    def close(self) -> None:
        """Wait for a checkpoint that runs."""
        if self._thread is not None:
            self._thread.join()

    def _background(self) -> None:
        try:
            self._checkpoint()
        finally:
            self._one_at_a_time.release()

    def _checkpoint(self) -> None:
        try:
            with closing(sqlite3.connect(self._path, timeout=0.0, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous = FULL")
                for _ in range(PASSES):
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                with self._lock.held():
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except (sqlite3.Error, StoreUnavailable):
            pass  # the rows are safe in the log; a disk that fails shows in the next commit
        self._due = self._size() + self._threshold

    def _size(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:  # no log yet, or the last connection took it along
            return 0
