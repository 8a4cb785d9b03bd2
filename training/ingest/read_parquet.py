"""Read Parquet in chunks, only the columns that are needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import polars as pl
import pyarrow
from pyarrow import parquet

from nba.errors import InvalidInput
from training.ingest.mapping import Source
from training.ingest.raw import ROWS_AT_ONCE, Chunk, check_columns, json_text, property_columns

_TEXTS = (pl.String, pl.Categorical, pl.Enum)
_SCALARS = (*_TEXTS, pl.Boolean, pl.Date, pl.Datetime)


def columns(path: Path) -> list[str]:
    """The column names. Raises InvalidInput where the file is not Parquet."""
    with _open(path) as file:
        return list(file.schema_arrow.names)


def frames(path: Path, wanted: list[str] | None = None) -> Iterator[pl.DataFrame]:
    """The file's rows, `wanted` columns or all. Raises InvalidInput where the file is not Parquet."""
    with _open(path) as file:
        try:
            for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=wanted):
                yield cast(pl.DataFrame, pl.from_arrow(batch))
        except (pyarrow.ArrowException, OSError) as error:
            raise _unreadable(path, error) from None


def chunks(path: Path, source: Source) -> Iterator[Chunk]:
    """The file's rows.

    Raises:
        InvalidInput: not Parquet, or a column that the mapping names is missing or of the wrong kind.
    """
    check_columns(path, source, columns(path))
    row = 1
    for frame in frames(path, None if source.id is None else list(source.columns())):
        yield chunk_of(frame, source, path, row)
        row += frame.height


def chunk_of(frame: pl.DataFrame, source: Source, path: Path | str, first: int) -> Chunk:
    """Typed rows as a chunk, the first of them number `first`; `path` is for messages.

    Raises:
        InvalidInput: a column that the mapping names is of the wrong kind.
    """
    _check_kinds(path, source, frame.schema)
    scalars = [name for name, kind in frame.schema.items() if _is_scalar(kind)]
    content = pl.concat_str(pl.col(scalars).cast(pl.String()).fill_null(""), separator="\x1f")
    return Chunk(
        cells=frame.select(_cell(name, frame.schema[name]) for name in source.columns()),
        fragments=frame.select(json_text(pl.col(name)).alias(name) for name in property_columns(source)),
        lines=pl.int_range(first, first + frame.height, eager=True, dtype=pl.Int64()).alias("line"),
        content=frame.select(content.alias("content")).to_series(),
    )


def _open(path: Path) -> parquet.ParquetFile:
    try:
        return parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> InvalidInput:
    detail = f"can't be read as Parquet: {str(error).splitlines()[0]}"
    return InvalidInput.of("file", detail, source=str(path))


def _cell(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(kind, pl.Struct):
        return json_text(column).alias(name)
    if isinstance(kind, _TEXTS):
        text = column.cast(pl.String())
        return pl.when(text != "").then(text).alias(name)
    return column


def _is_scalar(kind: pl.DataType) -> bool:
    return kind.is_numeric() or isinstance(kind, _SCALARS)


def _check_kinds(path: Path | str, source: Source, schema: pl.Schema) -> None:
    """Raises InvalidInput for a column whose kind can't be what the mapping says it is."""

    def whole(kind: pl.DataType) -> bool:
        return kind.is_integer() or isinstance(kind, _TEXTS)

    for column, field in source.columns().items():
        kind = schema[column]
        if field == "properties":
            fits, needed = isinstance(kind, pl.Struct | pl.String), "a struct or JSON text"
        elif field == "time":
            fits = kind.is_numeric() or isinstance(kind, pl.Date | pl.Datetime | pl.String)
            needed = "a time, a number or text"
        elif field == "value":
            fits, needed = kind.is_numeric() or isinstance(kind, pl.String), "a number"
        elif "." in field:
            fits, needed = _is_scalar(kind), "a number, a boolean, a time or text"
        else:
            fits, needed = whole(kind), "text or a whole number"
        if not fits:
            detail = f"the column {column!r} holds {kind}, and {needed} is needed"
            raise InvalidInput.of(field, detail, source=str(path))
