"""Bring what the API received, and the contacts that were decided, into the history, for training.

They are one part of each bucket, written anew from the store, beside the files that were ingested; what a
file has under the same id is left out. Features from the history then know what the server knows, who is one
person too, and who was erased.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from nba.features.history import COLUMNS, SERVED, append, bucket_dir, buckets_of, keep_persons
from nba.playbook.declaration import CONTACT
from nba.stores.ports import Store
from training.forgetting import forget
from training.ingest.writer import alone

_ALWAYS = float("inf")


def bring_back(store: Store, history: Path) -> int:
    """Write the part anew; the number of its rows.

    Raises:
        StoreUnavailable: the history can't be written; the former part stays.
    """
    people = store.people()
    customers = store.names(list({*people, *people.values()}))
    frame = pl.DataFrame(list(_rows(store)), schema=_RAW, orient="row")
    rows = frame.unique(["event_id", "customer_id", "type"], keep="first", maintain_order=True).with_columns(
        (pl.col("occurred_at") * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    )
    with alone(history):
        forget(store, history)
        fresh = _new(rows, history)
        append(history, fresh, SERVED)
        _without(fresh, history)
        linked = {
            customers[s]: customers[p] for s, p in people.items() if s != p and {s, p} <= customers.keys()
        }
        keep_persons(history, linked)
    return len(rows)


def _without(frame: pl.DataFrame, history: Path) -> None:
    """Drop the part where a bucket has none of its rows any more, as where its customers were erased."""
    filled = set(buckets_of(frame["customer_id"]).to_list())
    for file in history.glob(f"bucket=*/{SERVED}.parquet"):
        if int(file.parent.name.removeprefix("bucket=")) not in filled:
            file.unlink()


def _rows(store: Store) -> Iterator[tuple[object, ...]]:
    customers = store.links()
    for touchpoints in store.touchpoints(-_ALWAYS, _ALWAYS, own=True):
        for t in touchpoints:
            if t.surrogate in customers:
                customer = customers[t.surrogate]
                yield t.id, customer, t.type, t.channel, None, t.occurred_at, t.value, t.properties
    for decisions in store.decisions(-_ALWAYS, _ALWAYS, own=True):
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
