"""Read CSV in chunks; a line with too many or too few cells, or a bad quote, loses only itself."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

import polars as pl

from nba.errors import InvalidInput
from training.ingest.csv_lines import Broken, Lines, Record, frame_of, records, split_block
from training.ingest.mapping import Source
from training.ingest.raw import (
    BYTES_AT_ONCE,
    NUMBER,
    ROWS_AT_ONCE,
    Chunk,
    check_columns,
    json_text,
    property_columns,
    refuse_utf16,
)

_SEPARATOR = "\x1f"
_NOT_TEXT = "not {}; `encoding` in the mapping names another"


def header(path: Path, source: Source) -> list[str]:
    """The column names. Raises InvalidInput where the file is empty, or a name is missing or twice."""
    try:
        with _open(path, source) as file:
            names = next(csv.reader(file, delimiter=source.delimiter), [])
        "".join(names).encode()
    except UnicodeError:
        raise InvalidInput.of("encoding", _NOT_TEXT.format(source.encoding), 1, str(path)) from None
    except csv.Error as error:
        raise InvalidInput.of("header", f"not CSV: {error}", 1, str(path)) from None
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
        lines = Lines(file)
        next(csv.reader(lines, delimiter=source.delimiter))
        try:
            while block := lines.block(ROWS_AT_ONCE, BYTES_AT_ONCE):
                yield _chunk(*_rows(block, lines, source.delimiter, len(names)), names, source)
        except UnicodeError:
            detail = _NOT_TEXT.format(source.encoding)
            raise InvalidInput.of("encoding", detail, lines.number + 1, str(path)) from None


def _open(path: Path, source: Source) -> TextIO:
    if source.encoding != "utf-8":
        return path.open(encoding=source.encoding, newline="")
    refuse_utf16(path)
    return path.open(encoding="utf-8-sig", newline="", errors="surrogateescape")


def _rows(block: list[str], lines: Lines, delimiter: str, width: int) -> tuple[pl.DataFrame, list[Broken]]:
    split = split_block(block, lines.number - len(block) + 1, delimiter, width)
    if split is not None:
        return split
    lines.give_back(block)
    good: list[Record] = []
    broken: list[Broken] = []
    for item in islice(records(lines, delimiter, width), len(block)):
        if len(item) == 3:
            broken.append(item)
        elif (text := _SEPARATOR.join(item[1])) == (legible := text.encode(errors="replace").decode()):
            good.append(item)
        else:
            broken.append((item[0], _NOT_TEXT.format("UTF-8"), legible.replace(_SEPARATOR, delimiter)))
    return frame_of(good, width), broken


def _chunk(rows: pl.DataFrame, broken: list[Broken], names: list[str], source: Source) -> Chunk:
    lines = rows["line"]
    cells = rows.drop("line").rename({str(place): name for place, name in enumerate(names)})
    content = cells.select(pl.concat_str(pl.all(), separator=_SEPARATOR).alias("content")).to_series()
    wanted = cells.select(pl.when(pl.col(name) != "").then(pl.col(name)) for name in source.columns())
    return Chunk(
        cells=wanted,
        fragments=wanted.select(_fragment(name).alias(name) for name in property_columns(source)),
        lines=lines,
        content=content,
        broken=broken,
    )


def _fragment(name: str) -> pl.Expr:
    cell = pl.col(name)
    number = cell.str.contains(NUMBER) & cell.cast(pl.Float64(), strict=False).is_finite()
    return pl.when(number | cell.is_in(["true", "false"])).then(cell).otherwise(json_text(cell))
