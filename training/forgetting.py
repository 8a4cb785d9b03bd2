"""What the history must not know: who was erased, and identities in clear.

The store has keyed hashes of the customer ids that were erased, and when. What happened before is theirs and
does not come back with a file that is ingested again; what came later under the same id is a new person's.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nba.features.history import history_files
from nba.persons import digest_of, erased_at, hidden, is_kind
from nba.stores.ports import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasures:
    """Who was erased when: keyed hash of the customer id → the latest moment, epoch seconds."""

    secret: bytes
    at: dict[str, float]

    @classmethod
    def of(cls, store: Store) -> Erasures:
        return cls(secret=store.secret, at=erased_at(store))

    def left(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows without what was somebody's who was erased."""
        if not self.at or rows.is_empty():
            return rows
        ids = rows["customer_id"].unique()
        found = {c: self.at.get(digest_of(self.secret, c)) for c in ids.to_list()}
        gone = {c: at for c, at in found.items() if at is not None}
        if not gone:
            return rows
        moments = pl.col("customer_id").replace_strict(
            list(gone), list(gone.values()), default=None, return_dtype=pl.Float64
        )
        later = (pl.col("occurred_at").dt.epoch("us") / 1e6) > moments
        return rows.filter(moments.is_null() | later)


def identity_of(secret: bytes, properties: str | None) -> tuple[str, str] | None:
    """Kind and keyed hash of what an `identify` event claims; None where it says nothing usable."""
    try:
        said = json.loads(properties or "{}")
        kind, value = said["kind"], said["value"]
    except (ValueError, TypeError, KeyError):
        return None
    if not isinstance(kind, str) or not isinstance(value, str) or not is_kind(kind) or not value:
        return None
    return kind, value if said.get("hidden") is True else hidden(secret, kind, value)


def hide(secret: bytes, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the identities that they claim as keyed hashes."""
    claims = pl.col("type") == "identify"
    if rows.filter(claims).is_empty():
        return rows

    def told(properties: str) -> str | None:
        known = identity_of(secret, properties)
        return None if known is None else json.dumps({"kind": known[0], "value": known[1], "hidden": True})

    safe = pl.col("properties").map_elements(told, return_dtype=pl.String)
    return pl.concat([rows.filter(~claims), rows.filter(claims).with_columns(safe)])


def forget(store: Store, history: Path) -> int:
    """Write the ingested files that name somebody who was erased anew without them; how many rows went.

    Called under the history's lock. A reader sees a file whole, before or after.
    """
    erasures = Erasures.of(store)
    if not erasures.at:
        return 0
    gone = 0
    for file in history_files(history):
        rows = pl.read_parquet(file)
        left = erasures.left(rows)
        if len(left) == len(rows):
            continue
        gone += len(rows) - len(left)
        if left.is_empty():
            file.unlink()
            continue
        unfinished = file.with_suffix(".unfinished")
        left.write_parquet(unfinished, statistics=True)
        os.replace(unfinished, file)
    return gone
