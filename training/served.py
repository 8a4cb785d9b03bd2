"""Bring what the API received, and the contacts that were decided, into the history, for training.

They are one part of each bucket, written anew from the store, beside the files that were ingested; what a
file has under the same id is left out. Features from the history then know what the server knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from nba.features.history import COLUMNS, SERVED, append, bucket_dir, buckets_of
from nba.playbook.declaration import CONTACT
from nba.stores.ports import Store
from training.ingest.writer import alone

_ALWAYS = float("inf")


def bring_back(store: Store, history: Path) -> int:
    """Write the part anew; the number of its rows.

    Raises:
        StoreUnavailable: the history can't be written; the former part stays.
    """
    frame = pl.DataFrame(list(_rows(store)), schema=_RAW, orient="row")
    rows = frame.unique(["event_id", "customer_id", "type"], keep="first", maintain_order=True).with_columns(
        (pl.col("occurred_at") * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    )
    with alone(history):
        append(history, _new(rows, history), SERVED)
    return len(rows)


def _rows(store: Store) -> Iterator[tuple[object, ...]]:
    customers = store.links()
    for touchpoints in store.touchpoints(-_ALWAYS, _ALWAYS):
        for t in touchpoints:
            if t.surrogate in customers:
                customer = customers[t.surrogate]
                yield t.id, customer, t.type, t.channel, None, t.occurred_at, t.value, t.properties
    for decisions in store.decisions(-_ALWAYS, _ALWAYS):
        for d in decisions:
            if d.channel is not None and d.status == "active" and d.surrogate in customers:
                moment = d.decided_at if d.activated_at is None else d.activated_at
                where = (customers[d.surrogate], CONTACT, d.channel, d.action)
                yield f"decision:{d.decision_id}", *where, moment, 1.0, None


def _new(rows: pl.DataFrame, history: Path) -> pl.DataFrame:
    """The rows that no ingested file of their bucket has."""
    buckets = buckets_of(rows["customer_id"]).unique().to_list()
    files = [f for b in buckets for f in bucket_dir(history, b).glob("*.parquet") if f.stem != SERVED]
    if not files:
        return rows
    known = pl.scan_parquet(files, schema=COLUMNS, hive_partitioning=False).select("event_id").collect()
    return rows.join(known, on="event_id", how="anti", maintain_order="left")


_RAW = {**COLUMNS, "occurred_at": pl.Float64()}
