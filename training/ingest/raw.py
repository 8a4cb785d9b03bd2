"""A chunk of a file as the readers give it: named columns of cells, numbered, and what fell apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nba.errors import InvalidInput
from nba.playbook.rules import nearest
from training.ingest.mapping import Source

ROWS_AT_ONCE = 50_000
BYTES_AT_ONCE = 64 << 20
NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"  # as JSON writes them


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """n lines of a file.

    Attributes:
        cells: (n, columns); text in CSV and JSONL, where an empty cell is null; typed in Parquet.
        fragments: (n, property columns) String: each cell as JSON text.
        lines: (n,) Int64; the line of the file, or the row of a Parquet file, counted from 1.
        content: (n,) String; what an id is derived from.
        broken: line, reason and text of lines that could not be taken apart.
        absent: columns that no line had so far.
    """

    cells: pl.DataFrame
    fragments: pl.DataFrame
    lines: pl.Series
    content: pl.Series
    broken: Sequence[tuple[int, str, str]] = ()
    absent: frozenset[str] = frozenset()


_NAMED = 20  # columns that an error tells


def property_columns(source: Source) -> list[str]:
    fields = [*source.properties.fields.values(), *source.attributes.values()]
    return list(dict.fromkeys(field.column for field in fields))


def check_columns(
    path: Path | str, source: Source, columns: Sequence[str], wanted: set[str] | None = None
) -> None:
    """Raises InvalidInput that names each column the mapping wants and the source has not."""
    missing = {
        column: field
        for column, field in source.columns().items()
        if column not in columns and (wanted is None or column in wanted)
    }
    for column, field in missing.items():
        there = ", ".join(columns[:_NAMED]) + (", …" if len(columns) > _NAMED else "")
        detail = (
            f"there is no column {column!r}{nearest(column, list(columns))}; there are {there}. "
            "A mapping says which column is what: --mapping FILE"
        )
        raise InvalidInput.of(field, detail, source=str(path))


def refuse_utf16(path: Path) -> None:
    """Raises InvalidInput where a file that should be UTF-8 starts as UTF-16 does."""
    with path.open("rb") as file:
        if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            detail = (
                "the file is UTF-16; save it as UTF-8, or for a CSV say `encoding: utf-16` in the mapping"
            )
            raise InvalidInput.of("encoding", detail, source=str(path))


def json_text(column: pl.Expr) -> pl.Expr:
    """Values of any kind as JSON text; null, NaN and infinity are null."""
    text = pl.struct(column.alias("x")).struct.json_encode().str.slice(len('{"x":'))
    text = text.str.head(-1)
    return pl.when(column.is_not_null() & (text != "null")).then(text)
