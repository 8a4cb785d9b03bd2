"""What adapters share: read a published table, build properties, number repeats, cut into batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import orjson
import polars as pl

from nba.errors import InvalidInput
from nba.playbook.rules import nearest
from training.ingest.batch import Batch, derive_ids, rows_of
from training.ingest.raw import ROWS_AT_ONCE, json_text

_SEPARATOR = "\x1f"


def read(path: Path, columns: Sequence[str]) -> pl.DataFrame:
    """The table with a column `line`, its row counted from 1.

    Raises:
        InvalidInput: the file is missing, not Parquet, or lacks one of `columns`.
    """
    if not path.is_file():
        raise InvalidInput.of("source", f"the adapter needs the file {path.name}", source=str(path))
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        detail = f"can't be read as Parquet: {str(error).splitlines()[0]}"
        raise InvalidInput.of("file", detail, source=str(path)) from None
    for column in columns:
        if column not in frame.columns:
            detail = f"the file has no such column{nearest(column, frame.columns)}"
            raise InvalidInput.of(column, detail, source=str(path))
    return frame.with_row_index("line", offset=1).with_columns(pl.col("line").cast(pl.Int64()))


def objects(fields: Mapping[str, pl.Expr]) -> pl.Expr:
    """JSON objects of the fields that are not null."""
    pairs = [pl.lit(orjson.dumps(name).decode() + ":") + json_text(value) for name, value in fields.items()]
    return pl.lit("{") + pl.concat_str(pairs, separator=",", ignore_nulls=True) + pl.lit("}")


def content_ids(frame: pl.DataFrame, columns: Sequence[str], salt: str) -> pl.Series:
    """Ids by content: the same wherever the row stands; the n-th of equal rows is always the n-th."""
    parts = pl.concat_str(pl.col(columns).cast(pl.String()).fill_null(""), separator=_SEPARATOR)
    repeat = pl.int_range(pl.len()).over("content").cast(pl.String())
    marked = frame.select(parts.alias("content"))
    numbered = marked.select(pl.concat_str("content", repeat, separator=_SEPARATOR)).to_series()
    return derive_ids(numbered, salt)


def cut(path: Path, rows: pl.DataFrame, read: int | None = None) -> Iterator[Batch]:
    """Rows in the history's columns as batches; `read` where it is not one line a row."""
    for start in range(0, rows.height, ROWS_AT_ONCE):
        some = rows.slice(start, ROWS_AT_ONCE)
        count = some.height if read is None else read if start == 0 else 0
        yield Batch(source=str(path.resolve()), read=count, rows=rows_of(some))
