"""Columns of times as Datetime("us", "UTC"); what is not a time becomes null."""

from __future__ import annotations

import polars as pl

from nba.errors import InvalidInput
from training.ingest.mapping import Time

UTC = pl.Datetime("us", "UTC")
_MICROSECONDS = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
_FURTHEST = 8e18  # microseconds; keeps a wrong unit a date far in the future instead of an overflow


def utc(column: pl.Expr, kind: pl.DataType, time: Time) -> pl.Expr:
    """The column's times.

    A local time that occurs twice (clocks set back) is its first, one that never occurs is null.

    Raises:
        InvalidInput: numbers without a unit, or a kind that holds no times.
    """
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return column.dt.convert_time_zone("UTC").cast(UTC)
    if isinstance(kind, pl.Datetime | pl.Date):
        return _local(column.cast(pl.Datetime("us")), time.timezone)
    if isinstance(kind, pl.String) and time.unit is None:
        return _iso(column, time.timezone) if time.format is None else _formatted(column, time)
    if kind.is_numeric() or isinstance(kind, pl.String):
        if time.unit is None:
            raise InvalidInput.of("time.unit", "the times are numbers: say s, ms, us or ns since 1970")
        number = column.cast(pl.Float64(), strict=False) * _MICROSECONDS[time.unit]
        whole = number.clip(-_FURTHEST, _FURTHEST).round().cast(pl.Int64(), strict=False)
        return whole.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    raise InvalidInput.of("time", f"a column of {kind} holds no times")


def _local(naive: pl.Expr, zone: str) -> pl.Expr:
    local = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC")


def _formatted(column: pl.Expr, time: Time) -> pl.Expr:
    parsed = column.str.to_datetime(time.format, strict=False, time_unit="us")
    offset = any(code in (time.format or "") for code in ("%z", "%:z", "%#z", "%+"))
    return parsed.dt.convert_time_zone("UTC") if offset else _local(parsed, time.timezone)


def _iso(column: pl.Expr, zone: str) -> pl.Expr:
    """ISO 8601: `T` or a blank between date and time; seconds, fraction and offset may be missing."""
    text = (
        column.str.replace(r"^(\d{4}-\d{2}-\d{2})$", "${1}T00:00:00")
        .str.replace(r"^(\d{4}-\d{2}-\d{2})[ t]", "${1}T")
        .str.replace(r" ?(?:[Zz]|UTC)$", "+00:00")
        .str.replace(r"T(\d{2}:\d{2})($|[+-])", "T${1}:00${2}")
        .str.replace(r"(T[0-9:.]+ ?[+-]\d{2})$", "${1}:00")
    )
    offset = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", strict=False, time_unit="us")
    naive = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
    return pl.coalesce(offset.dt.convert_time_zone("UTC"), _local(naive, zone))
