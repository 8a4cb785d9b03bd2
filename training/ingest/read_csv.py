"""Read CSV in chunks; a line with too many or too few cells, or a bad quote, loses only itself."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import polars as pl

from nba.errors import InvalidInput
from training.ingest.mapping import Source
from training.ingest.raw import (
    BYTES_AT_ONCE,
    ROWS_AT_ONCE,
    Chunk,
    check_columns,
    json_text,
    property_columns,
    refuse_utf16,
)

_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_SEPARATOR = "\x1f"
_NOT_TEXT = "not {}; `encoding` in the mapping names another"
Record = tuple[int, list[str]]
Broken = tuple[int, str, str]


class _Lines:
    """The file's lines, some of which may be given back: those that a stray quote swallowed."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._back: deque[str] = deque()
        self.taken: list[str] = []
        self.number = 0
        self.size = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else next(self._file)
        self.taken.append(line)
        self.number += 1
        self.size += len(line)
        return line

    def give_back_all_but_one(self) -> None:
        again = self.taken[1:]
        self._back.extendleft(reversed(again))
        self.number -= len(again)


def header(path: Path, source: Source) -> list[str]:
    """The column names. Raises InvalidInput where the file is empty, or a name is missing or twice."""
    with _open(path, source) as file:
        names = next(csv.reader(_Lines(file), delimiter=source.delimiter), [])
    if not names:
        raise InvalidInput.of("header", "the file is empty", source=str(path))
    for place, name in enumerate(names):
        if not name or name in names[:place]:
            detail = f"column {place + 1} has no name" if not name else f"the column {name!r} stands twice"
            raise InvalidInput.of("header", detail, line=1, source=str(path))
    return names


def chunks(path: Path, source: Source) -> Iterator[Chunk]:
    """The file's rows.

    Raises:
        InvalidInput: a column that the mapping names is not there, or the encoding is another.
    """
    names = header(path, source)
    check_columns(path, source, names)
    with _open(path, source) as file:
        lines = _Lines(file)
        next(csv.reader(lines, delimiter=source.delimiter))
        records: list[Record] = []
        broken: list[Broken] = []
        try:
            for item in _records(lines, source.delimiter, len(names)):
                if len(item) == 2:
                    records.append(item)
                else:
                    broken.append(item)
                if len(records) + len(broken) >= ROWS_AT_ONCE or lines.size >= BYTES_AT_ONCE:
                    yield _chunk(records, broken, names, source)
                    records, broken, lines.size = [], [], 0
        except UnicodeError:
            detail = _NOT_TEXT.format(source.encoding)
            raise InvalidInput.of("encoding", detail, lines.number + 1, str(path)) from None
        if records or broken:
            yield _chunk(records, broken, names, source)


def _open(path: Path, source: Source) -> TextIO:
    if source.encoding != "utf-8":
        return path.open(encoding=source.encoding, newline="")
    refuse_utf16(path)
    return path.open(encoding="utf-8-sig", newline="", errors="surrogateescape")


def _records(lines: _Lines, delimiter: str, width: int) -> Iterator[Record | Broken]:
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        lines.taken.clear()
        start = lines.number + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            row, reason = [], f"not CSV: {error}"
        else:
            reason = f"{len(row)} cells where the header has {width}"
        if len(row) == width:
            yield start, row
        elif lines.taken[0].strip():
            lines.give_back_all_but_one()
            yield start, reason, lines.taken[0].strip().encode(errors="replace").decode()


def _chunk(records: list[Record], broken: list[Broken], names: list[str], source: Source) -> Chunk:
    content = [_SEPARATOR.join(row) for _, row in records]
    try:
        _SEPARATOR.join(content).encode()
    except UnicodeEncodeError:
        records, content = _decoded(records, broken)
    index = {name: place for place, name in enumerate(names)}
    cells = pl.DataFrame(
        {name: [row[index[name]] for _, row in records] for name in source.columns()},
        schema=dict.fromkeys(source.columns(), pl.String()),
    ).with_columns(pl.when(pl.all() != "").then(pl.all()))
    return Chunk(
        cells=cells,
        fragments=cells.select(_fragment(name).alias(name) for name in property_columns(source)),
        lines=pl.Series("line", [line for line, _ in records], dtype=pl.Int64()),
        content=pl.Series("content", content, dtype=pl.String()),
        broken=broken,
    )


def _decoded(records: list[Record], broken: list[Broken]) -> tuple[list[Record], list[str]]:
    """Move the rows that were not UTF-8 over to `broken`; the others and their contents."""
    good: list[Record] = []
    for line, row in records:
        text = _SEPARATOR.join(row)
        legible = text.encode(errors="replace").decode()
        if legible == text:
            good.append((line, row))
        else:
            broken.append((line, _NOT_TEXT.format("UTF-8"), legible.replace(_SEPARATOR, ",")))
    return good, [_SEPARATOR.join(row) for _, row in good]


def _fragment(name: str) -> pl.Expr:
    cell = pl.col(name)
    number = cell.str.contains(_NUMBER) & cell.cast(pl.Float64(), strict=False).is_finite()
    return pl.when(number | cell.is_in(["true", "false"])).then(cell).otherwise(json_text(cell))
