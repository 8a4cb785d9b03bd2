"""The cells of an event table as what they are: names, numbers and times. Knows no file formats."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import polars as pl
from pydantic import ValidationError

from nba.errors import InvalidInput
from nba.features.touchpoints import EARLIEST, LATEST
from training.ingest.mapping import Time
from training.ingest.times import UTC, utc

Unit = Literal["s", "ms", "us", "ns", "min", "h", "d"]
_LONG = {"min": 60.0, "h": 3_600.0, "d": 86_400.0}
_QUICK = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f")
_ROLES = ("case", "step", "time", "value", "cluster", "part", "where")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which column of the file is what, by the file's own names, and how its times are written.

    Attributes:
        case, step, time: as in `nba.journey.events`; value, cluster, part: where there are such.
        where: a column and the text that its cells must hold; other rows are none of this map.
        unit: of times that are numbers, since 1970 or any other start; seconds by default.
        format: of times that are text; ISO 8601 by default. zone: of times that name none.
    """

    case: str
    step: str
    time: str
    value: str | None = None
    cluster: str | None = None
    part: str | None = None
    where: tuple[str, str] | None = None
    unit: Unit | None = None
    format: str | None = None
    zone: str = "UTC"

    def named(self) -> dict[str, str]:
        """Role → column."""
        where = None if self.where is None else self.where[0]
        named = {role: getattr(self, role) for role in _ROLES[:-1]} | {"where": where}
        return {role: column for role, column in named.items() if column is not None}

    def writing(self) -> Time:
        """How times are written, as the readers of times take it; long units are made seconds by `times`.

        Raises:
            InvalidInput: there is no such zone, or the format is none.
        """
        unit = "s" if self.unit in _LONG else self.unit
        told = {"column": "time", "unit": unit, "format": self.format, "timezone": self.zone}
        try:
            return Time.model_validate(told)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_context=False)[0]
            field = "zone" if "timezone" in wrong["loc"] else "format"
            raise InvalidInput.of(field, wrong["msg"].removeprefix("Value error, ")) from None


def text(raw: pl.DataFrame, role: str) -> pl.Expr:
    """A column as text; whole numbers that stand as decimals, as pandas writes them, as whole numbers."""
    column, kind = pl.col(role), raw.schema[role]
    if kind.is_float() and bool((raw[role].drop_nulls().drop_nans() % 1 == 0).all()):
        return column.fill_nan(None).cast(pl.Int64, strict=False).cast(pl.String)
    return (
        column.cast(pl.String) if not kind.is_nested() else pl.struct(column).struct.json_encode().alias(role)
    )


def numbers(column: pl.Series) -> pl.Series:
    """Values; empty cells are nothing. Raises InvalidInput where a cell is no number."""
    numbers = column.cast(pl.Float64, strict=False).alias("value")
    wrong = numbers.is_null() & column.is_not_null()
    if wrong.any():
        first = column.filter(wrong)[0]
        detail = f"{int(wrong.sum()):,} cells are no numbers, such as {str(first)[:40]!r}"
        raise InvalidInput.of("value", detail)
    return numbers


def times(column: pl.Series, columns: Columns) -> tuple[pl.Series, bool]:
    """The times, null where they can't be read or lie outside the years 1 to 9999; and whether they are
    numbers whose unit nobody said.

    Raises:
        InvalidInput: a column that can't hold times.
    """
    amounts = _amounts(column, columns)
    if amounts is not None:
        unit = columns.unit or "s"
        long = amounts.cast(pl.Float64) * _LONG.get(unit, 1.0)
        found = utc(pl.lit(long), pl.Float64(), replace(columns, unit=unit, format=None).writing())
    elif column.dtype == pl.String:
        found = pl.lit(_from_text(column, columns))
    else:
        found = utc(pl.lit(column), column.dtype, replace(columns, unit=None, format=None).writing())
    moment = pl.select(found.alias("time")).to_series()
    seconds = moment.dt.timestamp("us") / 1e6
    inside = (seconds >= EARLIEST) & (seconds < LATEST)
    told = pl.select(pl.when(inside).then(moment).alias("time")).to_series()
    return told, amounts is not None and columns.unit is None


def _amounts(column: pl.Series, columns: Columns) -> pl.Series | None:
    """The column as numbers, where its times are numbers."""
    if column.dtype.is_numeric():
        return column
    if column.dtype != pl.String or columns.format is not None:
        return None
    found = column.cast(pl.Float64, strict=False)
    all_read = found.null_count() == column.null_count() < len(column)
    return found if all_read or columns.unit is not None else None


def _from_text(column: pl.Series, columns: Columns) -> pl.Series:
    """By the format; else ISO 8601, most quickly where all are written alike."""
    if columns.format is None and columns.zone == "UTC":
        for format in _QUICK:
            found = column.str.to_datetime(format, strict=False, time_unit="us")
            if found.null_count() == column.null_count():
                return found.dt.replace_time_zone("UTC").cast(UTC).alias("time")
    read = utc(pl.lit(column), pl.String(), replace(columns, unit=None).writing())
    return pl.select(read.alias("time")).to_series()
