"""Read the rows of a database query, as those of a file: the same mapping, the same checks.

A database keeps no order of rows, so an id can't be derived from the place of one: a column of ids is needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from nba.errors import InvalidInput
from nba.stores.sql.query import named, rows
from training.ingest.batch import Batch
from training.ingest.mapping import Mapping, Source, contract
from training.ingest.raw import ROWS_AT_ONCE, check_columns
from training.ingest.read_parquet import chunk_of
from training.ingest.transcribe import transcribe

NAME = "query"  # what `match` of a mapping's source is compared with


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to ask of which database."""

    url: str
    text: str


def batches(query: Query, mapping: Mapping | None = None, size: int = ROWS_AT_ONCE) -> Iterator[Batch]:
    """The rows of the query; without a mapping its columns have the field names of the HTTP events.

    Raises:
        InvalidInput: the database or the query can't be used, or a column is not what it should be.
    """
    origin = named(query.url)
    source: Source | None = None if mapping is None else mapping.source_of(Path(NAME))
    first = 1
    for columns, some in rows(query.url, query.text, size):
        if source is None:
            source = contract(columns)
        if first == 1:
            _check(source, columns, origin)
        frame = _frame(columns, some)
        chunk = chunk_of(frame, source, origin, first)
        yield Batch(source=origin, read=frame.height, rows=transcribe(chunk, source, NAME))
        first += frame.height


def _check(source: Source, columns: Sequence[str], origin: str) -> None:
    """Raises InvalidInput for columns that are there twice, or are missing; for rows without ids."""
    twice = sorted({name for name in columns if list(columns).count(name) > 1})
    if twice:
        raise InvalidInput.of("query", f"names the column {twice[0]!r} twice; give it another with AS")
    if source.id is None:
        detail = (
            "is needed: rows of a query have no place to tell them by; select a column of ids, and name it "
            "in a mapping (--mapping FILE) where it is called otherwise"
        )
        raise InvalidInput.of("event_id", detail, source=origin)
    check_columns(origin, source, columns)


def _frame(columns: Sequence[str], some: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
    """The rows with the kinds that Parquet has; a column without any value is text."""
    series = []
    for name, values in zip(columns, zip(*some, strict=True) if some else [()] * len(columns), strict=True):
        plain = [_plain(value) for value in values]
        kinds = {type(value) for value in plain if value is not None}
        if len(kinds) > 1 and not kinds <= {int, float}:
            plain = [None if value is None else str(value) for value in plain]
        column = pl.Series(name, plain, strict=False)
        series.append(column.cast(pl.String()) if column.dtype == pl.Null else column)
    return pl.DataFrame(series)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int | float | datetime | date):
        return value
    if isinstance(value, Decimal):
        return float(value)
    return json.dumps(value) if isinstance(value, dict | list) else str(value)
