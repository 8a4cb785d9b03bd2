"""`hillstrom`: the e-mail campaign of the MineThatData challenge of March 2008, a customer a row.

Customers have no ids: they are numbered by row. The campaign is set at `SENT`, a convention, with profiles a
day before; visit and conversion, which fell somewhere in the two weeks after, one day later. Who was assigned
no e-mail has no `contact`. The published `channel` is purchase history: the attribute `purchase_channel`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from training.ingest.adapters.table import cut, objects, read
from training.ingest.batch import Batch

SENT = datetime(2008, 3, 10, 12, tzinfo=UTC)
ACTIONS = {"Mens E-Mail": "mens-email", "Womens E-Mail": "womens-email"}
_ATTRIBUTES = {
    name: name for name in ("recency", "history_segment", "history", "mens", "womens", "zip_code", "newbie")
}
_DAY = timedelta(days=1)


def batches(folder: Path) -> Iterator[Batch]:
    """Raises InvalidInput where the file is missing or not as published."""
    path = folder / "hillstrom.parquet"
    columns = [*_ATTRIBUTES, "channel", "segment", "visit", "conversion", "spend"]
    table = read(path, columns).with_columns(
        pl.format("hillstrom-{}", pl.col("line").cast(pl.String()).str.zfill(6)).alias("customer_id")
    )
    attributes = {name: pl.col(column) for name, column in _ATTRIBUTES.items()}
    attributes["purchase_channel"] = pl.col("channel")
    contacted = table.filter(pl.col("segment").is_in(list(ACTIONS)))
    rows = [
        _rows(table, "profile", SENT - _DAY, properties=objects(attributes)),
        _rows(contacted, "contact", SENT, action=pl.col("segment").replace(ACTIONS), channel=pl.lit("email")),
        _rows(table.filter(pl.col("visit") == 1), "visit", SENT + _DAY),
        _rows(table.filter(pl.col("conversion") == 1), "purchase", SENT + _DAY, value=pl.col("spend")),
    ]
    yield from cut(path, pl.concat(rows, how="diagonal_relaxed"), table.height)


def _rows(table: pl.DataFrame, name: str, at: datetime, **columns: pl.Expr) -> pl.DataFrame:
    return table.select(
        pl.format("{}:{}", "customer_id", pl.lit(name)).alias("event_id"),
        "customer_id",
        pl.lit(name).alias("type"),
        pl.lit(at).dt.cast_time_unit("us").alias("occurred_at"),
        "line",
        **columns,
    )
