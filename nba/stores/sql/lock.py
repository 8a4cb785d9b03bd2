"""One writer at a time, over threads and processes of one machine."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nba.errors import StoreUnavailable


class FileLock:
    """A blocking `flock` on a file of its own. Waiters sleep in the kernel; a dead holder lets go.

    The file is opened anew each time, since a flock belongs to the open file and not to the thread: so
    threads exclude each other by the same means as processes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._holder: int | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait for the lock and hold it.

        Raises:
            StoreUnavailable: its file can't be made.
            RuntimeError: this thread holds it already and would wait for itself.
        """
        if self._holder == threading.get_ident():
            raise RuntimeError("a write inside a transaction of the same store")
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreUnavailable(f"{self._path} can't be written: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._holder = threading.get_ident()
            yield
        finally:
            self._holder = None
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # closing is not enough if a fork copied the descriptor
            os.close(descriptor)
