"""`telco-churn`: a telecom customer a row, with the label `Churn`, left within the month.

The snapshot is set at `SNAPSHOT`, a convention. The columns are the attributes of a profile at that time; the
label is not among them: who left has the touchpoint `churned` thirty days later.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from training.ingest.adapters.table import cut, objects, read
from training.ingest.batch import Batch

SNAPSHOT = datetime(2018, 1, 1, tzinfo=UTC)
LEFT = SNAPSHOT + timedelta(days=30)
_OWN = ("customerID", "Churn", "line")


def batches(folder: Path) -> Iterator[Batch]:
    """Raises InvalidInput where the file is missing or not as published."""
    path = folder / "telco_churn.parquet"
    table = read(path, ["customerID", "tenure", "Churn"])
    attributes = {snake(name): pl.col(name) for name in table.columns if name not in _OWN}
    left = table.filter(pl.col("Churn") == "Yes")
    rows = [
        _rows(table, "profile", SNAPSHOT, properties=objects(attributes)),
        _rows(left, "churned", LEFT, value=pl.lit(1.0)),
    ]
    yield from cut(path, pl.concat(rows, how="diagonal_relaxed"), table.height)


def snake(name: str) -> str:
    """`MonthlyCharges` → `monthly_charges`, `StreamingTV` → `streaming_tv`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _rows(table: pl.DataFrame, name: str, at: datetime, **columns: pl.Expr) -> pl.DataFrame:
    return table.select(
        pl.format("telco-churn:{}:{}", "customerID", pl.lit(name)).alias("event_id"),
        pl.col("customerID").alias("customer_id"),
        pl.lit(name).alias("type"),
        pl.lit(at).dt.cast_time_unit("us").alias("occurred_at"),
        "line",
        **columns,
    )
