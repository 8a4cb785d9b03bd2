"""Write into the history: each event once, each file whole or not at all.

Rows are first laid aside by bucket, then bucket by bucket those whose ids are not there yet become one
immutable file named by the hash of its bytes. So memory holds one bucket at a time, and a run that died
midway is completed by running again.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import polars as pl
from pyarrow import ipc

from nba.errors import CorruptArtefact, StoreUnavailable
from nba.features.history import BUCKETS, COLUMNS, as_they_lie, bucket_dir, buckets_of


@contextmanager
def alone(history: Path) -> Iterator[None]:
    """Hold the history's lock; of two ingests one waits for the other.

    Raises:
        StoreUnavailable: the history can't be written.
    """
    try:
        history.mkdir(parents=True, exist_ok=True)
        with (history / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        detail = f"the history {history} can't be written: {error.strerror or error}"
        raise StoreUnavailable(detail) from error


class Staging:
    """Rows laid aside by bucket, in `<history>/.staging`. Use it under the lock, and close it."""

    def __init__(self, history: Path) -> None:
        self._history = history
        self._folder = history / ".staging"
        self._streams: dict[int, ipc.RecordBatchStreamWriter] = {}
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)

    def add(self, rows: pl.DataFrame) -> None:
        """Lay rows with the history's columns aside."""
        marked = rows.with_columns(buckets_of(rows["customer_id"]).alias("bucket"))
        for (bucket,), group in marked.partition_by("bucket", as_dict=True, include_key=False).items():
            table = group.to_arrow()
            number = int(bucket)
            if number not in self._streams:
                self._streams[number] = ipc.new_stream(str(self._file(number)), table.schema)
            self._streams[number].write_table(table)

    def merge(self) -> Iterator[tuple[int, int, Path | None]]:
        """Bring in what is new, bucket by bucket: rows laid aside, rows new, the file written if any.

        Raises:
            CorruptArtefact: a file of the history can't be read.
        """
        self._finish()
        for bucket in range(BUCKETS):
            if not self._file(bucket).exists():
                continue
            rows = pl.read_ipc_stream(self._file(bucket))
            fresh = rows.unique("event_id", keep="first", maintain_order=True)
            fresh = fresh.join(
                _known(self._history, bucket), on="event_id", how="anti", maintain_order="left"
            )
            written = None if fresh.is_empty() else _write(fresh, bucket_dir(self._history, bucket))
            yield rows.height, fresh.height, written

    def close(self) -> None:
        self._finish()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _finish(self) -> None:
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()

    def _file(self, bucket: int) -> Path:
        return self._folder / f"{bucket:02d}.arrow"


def _known(history: Path, bucket: int) -> pl.DataFrame:
    try:
        return as_they_lie(history, [bucket]).select("event_id").collect()
    except pl.exceptions.PolarsError as error:
        detail = f"a file of {bucket_dir(history, bucket)} can't be read: {str(error).splitlines()[0]}"
        raise CorruptArtefact(detail) from error


def _write(rows: pl.DataFrame, folder: Path) -> Path:
    """One file, ordered by customer and time, synced before it gets its name."""
    buffer = io.BytesIO()
    ordered = rows.sort("customer_id", "occurred_at", maintain_order=True)
    ordered.select(pl.col(name).cast(kind) for name, kind in COLUMNS.items()).write_parquet(buffer)
    content = buffer.getvalue()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{hashlib.sha256(content).hexdigest()}.parquet"
    unfinished = file.with_suffix(".unfinished")
    with unfinished.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    os.replace(unfinished, file)
    _sync(folder)
    _sync(folder.parent)
    return file


def _sync(folder: Path) -> None:
    with suppress(OSError):  # some file systems can't sync a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
