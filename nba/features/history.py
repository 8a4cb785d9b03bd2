"""Where the history of touchpoints lies on disk: Parquet files in 64 buckets of customers.

    <directory>/bucket=07/<part>.parquet

A customer's rows are all in one bucket, so that whatever is computed per customer can go bucket by
bucket in bounded memory. Which events belong in the history, and that none is in it twice, is for
`ingest` to see to.

Rows lie under the customer id that they came with. Who is linked to whom stands in `persons.parquet`, and
`scan` reads the rows of linked customers as those of their person, from wherever they lie.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from zlib import crc32

import polars as pl

BUCKETS = 64
PERSONS = "persons.parquet"
SERVED = "served"  # the part that holds what the API received, written anew from the store each time
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


def history_files(directory: Path) -> list[Path]:
    """The files that were ingested, in order; what the API received is not among them."""
    return [file for file in sorted(directory.glob("bucket=*/*.parquet")) if file.stem != SERVED]


def bucket_dir(directory: Path, bucket: int) -> Path:
    return directory / f"bucket={bucket:02d}"


def keep_persons(directory: Path, people: Mapping[str, str]) -> None:
    """From now on these customer ids are read as those of their persons, and all others as they are."""
    file = directory / PERSONS
    if not people:
        file.unlink(missing_ok=True)
        return
    unfinished = file.with_suffix(".unfinished")
    pl.DataFrame({"customer_id": list(people), "person": list(people.values())}).write_parquet(unfinished)
    os.replace(unfinished, file)


def persons(directory: Path) -> dict[str, str]:
    """Customer id → that of its person, of those that have another."""
    file = directory / PERSONS
    return dict(pl.read_parquet(file).iter_rows()) if file.exists() else {}


def scan(directory: Path, buckets: Iterable[int] = range(BUCKETS), *, served: bool = True) -> pl.LazyFrame:
    """The rows of the persons of some buckets (by default all), those of a bucket's own files first.

    Args:
        served: with what the API received.
    """
    wanted, people = list(buckets), persons(directory)
    rows = as_they_lie(directory, wanted, served=served)
    if not people:
        return rows
    here = set(wanted)
    foreign = {c: bucket_of(c) for c, person in people.items() if bucket_of(person) in here}
    away = [c for c, person in people.items() if bucket_of(person) not in here]
    fetched = [c for c, bucket in foreign.items() if bucket not in here]
    parts = [rows.filter(~pl.col("customer_id").is_in(away)) if away else rows]
    if fetched:
        strange = as_they_lie(directory, sorted({foreign[c] for c in fetched}), served=served)
        parts.append(strange.filter(pl.col("customer_id").is_in(fetched)))
    named = pl.col("customer_id").replace(list(people), list(people.values()))
    return pl.concat(parts).with_columns(named)


def as_they_lie(
    directory: Path, buckets: Iterable[int] = range(BUCKETS), *, served: bool = True
) -> pl.LazyFrame:
    """The rows of some buckets under their own customer ids, by the part names within a bucket."""
    every = [file for b in buckets for file in sorted(bucket_dir(directory, b).glob("*.parquet"))]
    files = [file for file in every if served or file.stem != SERVED]
    if not files:
        return pl.LazyFrame(schema=COLUMNS)
    return pl.scan_parquet(files, schema=COLUMNS, hive_partitioning=False)


def latest(directory: Path) -> float:
    """The latest moment of any row, epoch seconds; -inf for none."""
    found = scan(directory).select(pl.col("occurred_at").max().dt.timestamp("us")).collect().item()
    return float("-inf") if found is None else found / 1e6


def each_bucket(directory: Path) -> Iterator[tuple[int, pl.LazyFrame]]:
    """The buckets that hold anything, each with its rows."""
    named = {bucket_of(person) for person in persons(directory).values()}
    for bucket in range(BUCKETS):
        if bucket in named or any(bucket_dir(directory, bucket).glob("*.parquet")):
            yield bucket, scan(directory, [bucket])
