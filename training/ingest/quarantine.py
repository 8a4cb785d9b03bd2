"""The quarantine: one JSON line for each bad row, with source, line, field, reason and 40 characters.

A source's lines replace those of its former run, so that ingesting twice leaves the file as it was.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import BinaryIO

import orjson
import polars as pl


class Quarantine:
    """Collects beside the file and takes its place with `publish`; not safe to share."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unfinished = path.with_name(path.name + ".unfinished")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = self._unfinished.open("wb")
        self._sources: set[str] = set()
        self.reasons: Counter[str] = Counter()

    def add(self, source: str, bad: pl.DataFrame) -> None:
        """`bad` has the columns `BAD`. Call it for each source, also when nothing is bad."""
        self._sources.add(source)
        if bad.is_empty():
            return
        counts = bad.group_by("field", "reason").len().sort("field", "reason")
        for field, reason, count in counts.iter_rows():
            self.reasons[f"{field}: {reason}"] += count
        named = bad.select(pl.lit(source).alias("source"), "line", "field", "reason", "value")
        named.sort("line", maintain_order=True).write_ndjson(self._file)

    def publish(self) -> None:
        """Put the file in place: those added here, then lines of other sources as they were."""
        if self._path.exists():
            with self._path.open("rb") as former:
                self._file.writelines(line for line in former if _source(line) not in self._sources)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if self._unfinished.stat().st_size:
            os.replace(self._unfinished, self._path)
        else:
            self._unfinished.unlink()
            self._path.unlink(missing_ok=True)

    def discard(self) -> None:
        """Leave the file as it was."""
        self._file.close()
        self._unfinished.unlink(missing_ok=True)


def _source(line: bytes) -> str | None:
    try:
        return str(orjson.loads(line)["source"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None  # not ours; it stays
