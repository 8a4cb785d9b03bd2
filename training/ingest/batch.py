"""What a source hands on: rows in the history's shape before they are judged, and lines beyond repair."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

import polars as pl

from nba.features.history import COLUMNS

# Beside the history's columns, rows carry where they stood, what the cells said, and a flaw found early.
ROWS = pl.Schema(
    {
        **COLUMNS,
        "line": pl.Int64(),
        "time_text": pl.String(),
        "value_text": pl.String(),
        "flaw_field": pl.String(),
        "flaw_reason": pl.String(),
        "flaw_value": pl.String(),
    }
)
BAD = pl.Schema({"line": pl.Int64(), "field": pl.String(), "reason": pl.String(), "value": pl.String()})
SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some lines of one file.

    Attributes:
        source: the file, as the quarantine names it.
        read: how many lines or rows of the file this is made of, good and bad.
        rows: columns `ROWS`; not yet validated.
        broken: columns `BAD`; lines that could not be taken apart.
        absent: mapped columns that no line had so far (JSONL only).
    """

    source: str
    read: int
    rows: pl.DataFrame
    broken: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=BAD))
    absent: frozenset[str] = frozenset()


def rows_of(frame: pl.DataFrame) -> pl.DataFrame:
    """Fill up to `ROWS` with nulls; the cells' texts default to the values themselves."""
    texts = {"time_text": "occurred_at", "value_text": "value"}
    missing = [
        pl.col(texts[name]).cast(pl.String()).alias(name)
        if texts.get(name) in frame.columns
        else pl.lit(None, dtype=kind).alias(name)
        for name, kind in ROWS.items()
        if name not in frame.columns
    ]
    return frame.with_columns(missing).select(pl.col(name).cast(kind) for name, kind in ROWS.items())


def bad_of(lines: Iterable[tuple[int, str, str]]) -> pl.DataFrame:
    """Broken lines (number, reason, text) as `BAD`, with the field `line`."""
    columns = [(number, "line", reason, text[:SHOWN]) for number, reason, text in lines]
    return pl.DataFrame(columns, schema=BAD, orient="row")


def derive_ids(parts: Iterable[str], salt: str) -> pl.Series:
    """32 hex digits a part: BLAKE2b of salt and part, the same in every version of every library."""
    start = blake2b(salt.encode() + b"\x1f", digest_size=16)

    def digest(part: str) -> str:
        hashed = start.copy()
        hashed.update(part.encode())
        return hashed.hexdigest()

    return pl.Series("event_id", [digest(part) for part in parts], dtype=pl.String())
