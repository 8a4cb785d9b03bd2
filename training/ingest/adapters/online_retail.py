"""`online-retail`: invoice lines of a British wholesaler, 2009-12 to 2011-12, in two files.

A line is `purchase` with quantity × price as its value, or `returned` with a negative one where the quantity
is negative. Rows of 2010-12-01 to 09 are in both files and come in once: ids are made of the columns that
both files have, plus which of several equal rows it is. A quarter of the lines has no customer and goes
to the quarantine. The country becomes a profile, from the customer's first line in it. Local times are
British.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from nba.errors import InvalidInput
from training.ingest.adapters.table import content_ids, cut, objects, read
from training.ingest.batch import Batch, derive_ids

NAME = "online-retail"
_COLUMNS = ["description", "quantity", "invoice_date", "price", "customer_id", "country"]
_EXTRA = ["invoice", "stock_code", "description"]


def batches(folder: Path) -> Iterator[Batch]:
    """Raises InvalidInput where there is no file, or one is not as published."""
    files = sorted(folder.glob("online_retail*.parquet"))
    if not files:
        raise InvalidInput.of("source", "the adapter needs online_retail*.parquet", source=str(folder))
    for path in files:
        table = _shaped(read(path, _COLUMNS))
        yield from cut(path, _lines(table))
        yield from cut(path, _profiles(table), read=0)


def _shaped(table: pl.DataFrame) -> pl.DataFrame:
    """The same kinds of columns for both files, which were published with different ones."""
    local = (
        pl.col("invoice_date")
        .cast(pl.Datetime("us"))
        .dt.replace_time_zone("Europe/London", ambiguous="earliest", non_existent="null")
    )
    return table.with_columns(
        pl.col("customer_id").cast(pl.Int64()).cast(pl.String()),
        pl.col("quantity").cast(pl.Int64()),
        pl.col("invoice_date").cast(pl.Datetime("us")),
        local.dt.convert_time_zone("UTC").alias("occurred_at"),
    )


def _lines(table: pl.DataFrame) -> pl.DataFrame:
    properties = {name: pl.col(name) for name in _EXTRA if name in table.columns}
    return table.select(
        content_ids(table, _COLUMNS, NAME),
        "customer_id",
        pl.when(pl.col("quantity") < 0).then(pl.lit("returned")).otherwise(pl.lit("purchase")).alias("type"),
        "occurred_at",
        (pl.col("quantity") * pl.col("price")).alias("value"),
        objects(properties).alias("properties"),
        "line",
    )


def _profiles(table: pl.DataFrame) -> pl.DataFrame:
    known = table.drop_nulls("customer_id").sort("occurred_at", maintain_order=True)
    first = known.unique(["customer_id", "country"], keep="first", maintain_order=True)
    parts = first.select(pl.format("{}\x1f{}", "customer_id", "country")).to_series()
    return first.select(
        derive_ids(parts, f"{NAME} profile"),
        "customer_id",
        pl.lit("profile").alias("type"),
        "occurred_at",
        objects({"country": pl.col("country")}).alias("properties"),
        "line",
    )
