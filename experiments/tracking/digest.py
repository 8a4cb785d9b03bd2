"""What data a run was made from, as one hash: two runs on the same data can be told from two on others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nba.errors import InvalidInput


def fingerprint(frame: pl.DataFrame, ordered: bool = False) -> str:
    """SHA-256 of a frame's column names, types and values; of its rows as a bag unless `ordered`.

    Column by column in the frame's own order. Missing values are told from NaN, NaNs are all alike.

    Raises:
        InvalidInput: a column holds neither numbers, booleans, times nor text.
    """
    header = "\n".join(f"{name}: {dtype}" for name, dtype in frame.schema.items())
    cells = np.column_stack([_cells(frame[name]) for name in frame.columns] or [np.zeros((0, 1), np.uint64)])
    rows = [hashlib.sha256(row.tobytes()).digest() for row in np.ascontiguousarray(cells)]
    body = b"".join(rows if ordered else sorted(rows))
    return hashlib.sha256(header.encode() + b"\0" + body).hexdigest()


def fingerprint_of_columns(columns: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of columns as they are, in order: names, shapes, types and bytes; quick on millions of rows."""
    digest = hashlib.sha256()
    for name, values in columns.items():
        digest.update(f"{name}: {values.dtype.str} {values.shape}\n".encode())
        digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _cells(series: pl.Series) -> NDArray[np.uint64]:
    """(n, 2): 64 bits of each value, and whether it is missing."""
    missing = series.is_null().to_numpy().astype(np.uint64)
    if series.dtype.is_float():
        values = series.fill_null(0.0).cast(pl.Float64).fill_nan(float("nan")).to_numpy() + 0.0
        bits = np.where(np.isnan(values), np.nan, values).view(np.uint64)
    elif series.dtype.is_integer() or series.dtype == pl.Boolean or series.dtype.is_temporal():
        bits = (
            series.to_physical().cast(pl.Int64, wrap_numerical=True).fill_null(0).to_numpy().view(np.uint64)
        )
    elif series.dtype in (pl.String, pl.Categorical, pl.Enum):
        text = series.cast(pl.String).fill_null("")
        known = text.unique()
        codes = pl.Series([_code(value) for value in known], dtype=pl.UInt64)
        bits = text.replace_strict(known, codes, return_dtype=pl.UInt64).to_numpy()
    else:
        raise InvalidInput.of(series.name, f"a column of {series.dtype} has no fingerprint")
    return np.column_stack([bits, missing])


def _code(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
