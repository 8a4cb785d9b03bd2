"""Where the history of touchpoints lies on disk: Parquet files in 64 buckets of customers.

    <directory>/bucket=07/<part>.parquet

A customer's rows are all in one bucket, so that whatever is computed per customer can go bucket by
bucket in bounded memory. Which events belong in the history, and that none is in it twice, is for
`ingest` to see to.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from zlib import crc32

import polars as pl

BUCKETS = 64
COLUMNS = pl.Schema(
    {
        "event_id": pl.String(),
        "customer_id": pl.String(),
        "type": pl.String(),
        "channel": pl.String(),
        "action": pl.String(),
        "occurred_at": pl.Datetime("us", "UTC"),
        "value": pl.Float64(),
        "properties": pl.String(),
    }
)


def bucket_of(customer_id: str) -> int:
    """The bucket of a customer, from 0 to 63: crc32 of the id in UTF-8, modulo 64."""
    return crc32(customer_id.encode()) % BUCKETS


def buckets_of(customer_ids: pl.Series) -> pl.Series:
    """`bucket_of` for a column: (n,) String → (n,) Int64, computed once for each distinct id."""
    ids = customer_ids.unique()
    codes = pl.Series(map(bucket_of, ids), dtype=pl.Int64)
    return customer_ids.replace_strict(ids, codes, return_dtype=pl.Int64)


def append(directory: Path, frame: pl.DataFrame, part: str) -> None:
    """Add rows with the columns of `COLUMNS` as the files `bucket=NN/<part>.parquet`.

    A reader sees a file whole or not at all; the same `part` again replaces the former one's files.
    """
    rows = frame.select(pl.col(name).cast(kind) for name, kind in COLUMNS.items())
    rows = rows.with_columns(buckets_of(rows["customer_id"]).alias("bucket"))
    for (bucket,), group in rows.partition_by("bucket", as_dict=True, include_key=False).items():
        folder = bucket_dir(directory, int(bucket))
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f"{part}.unfinished"
        group.write_parquet(unfinished, statistics=True)
        os.replace(unfinished, folder / f"{part}.parquet")


SERVED = "served"  # the part that holds what the API received, written anew from the store each time


def history_files(directory: Path) -> list[Path]:
    """The files that were ingested, in order; what the API received is not among them."""
    return [file for file in sorted(directory.glob("bucket=*/*.parquet")) if file.stem != SERVED]


def bucket_dir(directory: Path, bucket: int) -> Path:
    return directory / f"bucket={bucket:02d}"


def scan(directory: Path, buckets: Iterable[int] = range(BUCKETS)) -> pl.LazyFrame:
    """The rows of some buckets (by default all), in the order of the part names within a bucket."""
    files = [file for b in buckets for file in sorted(bucket_dir(directory, b).glob("*.parquet"))]
    if not files:
        return pl.LazyFrame(schema=COLUMNS)
    return pl.scan_parquet(files, schema=COLUMNS, hive_partitioning=False)


def each_bucket(directory: Path) -> Iterator[tuple[int, pl.LazyFrame]]:
    """The buckets that hold anything, each with its rows."""
    for bucket in range(BUCKETS):
        if any(bucket_dir(directory, bucket).glob("*.parquet")):
            yield bucket, scan(directory, [bucket])
