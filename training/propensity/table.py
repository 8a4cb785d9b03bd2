"""A labelled table as arrays: what every model here is trained on, and how a plain frame becomes one.

Keeps out where the rows come from (`dataset.py` builds them from the history) and how they are split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nba.errors import InvalidInput, NotEnoughData

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MAX_CATEGORIES = 255
_YES = ("yes", "true", "y", "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """n labelled rows.

    Attributes:
        X: (n, d) features; a category is its index, NaN is not known.
        names: the d columns; `categorical` those among them that are categories.
        y: (n,) class of each row, an index into `classes`; of two classes the last is the positive.
        at: (n,) epoch seconds, or any other order of time; None where there is none.
        customer: (n,) whose row it is; None where every row is its own customer.
        ignored: columns of the source that were left out, being text of too many values.
    """

    X: Floats
    names: tuple[str, ...]
    y: Ints
    classes: tuple[str, ...] = ("no", "yes")
    categorical: tuple[str, ...] = ()
    at: Floats | None = None
    customer: NDArray[np.str_] | None = None
    ignored: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Ints) -> Table:
        """The same table with only these rows."""
        return Table(
            X=self.X[rows],
            names=self.names,
            y=self.y[rows],
            classes=self.classes,
            categorical=self.categorical,
            at=None if self.at is None else self.at[rows],
            customer=None if self.customer is None else self.customer[rows],
            ignored=self.ignored,
        )


def from_frame(
    frame: pl.DataFrame,
    label: str,
    positive: str | None = None,
    drop: Sequence[str] = (),
    time: str | None = None,
    customer: str | None = None,
) -> Table:
    """A table for a label column of two values.

    Numbers, booleans and times become numbers, text becomes categories in alphabetical order. Text of
    more than 255 values is an identifier, not a category, and is left out. `time` and `customer` split
    the rows and are no features. Rows without a label are left out.

    Raises:
        InvalidInput: a named column is not there, or the label doesn't say which value is the positive.
        NotEnoughData: no rows, or nothing left to learn from.
    """
    for field, column in (
        ("label", label),
        ("time-column", time),
        ("id", customer),
        *(("drop", c) for c in drop),
    ):
        if column is not None and column not in frame.columns:
            raise InvalidInput.of(
                field, f"the table has no column {column!r}; it has {_listed(frame.columns)}"
            )
    frame = frame.filter(pl.col(label).is_not_null())
    y, classes = _labels(frame[label], positive)
    columns: dict[str, Floats] = {}
    categorical, ignored = [], []
    for name in frame.columns:
        if name in (label, time, customer, *drop):
            continue
        series = frame[name]
        if series.dtype.is_numeric() or series.dtype.is_temporal() or series.dtype == pl.Boolean:
            columns[name] = numbers(series)
        elif series.n_unique() <= MAX_CATEGORIES:
            columns[name] = _codes(series.cast(pl.String))
            categorical.append(name)
        else:
            ignored.append(name)
    if not columns:
        raise NotEnoughData("the table has no column to learn from", {"rows": len(frame)})
    return Table(
        X=np.column_stack(list(columns.values())),
        names=tuple(columns),
        y=y,
        classes=classes,
        categorical=tuple(categorical),
        at=None if time is None else numbers(frame[time]),
        customer=None if customer is None else frame[customer].cast(pl.String).to_numpy().astype(np.str_),
        ignored=tuple(ignored),
    )


def numbers(series: pl.Series) -> Floats:
    """(n,) float64 of a column of numbers, booleans or times (epoch seconds); null becomes NaN."""
    if series.dtype.is_temporal():
        series = series.cast(pl.Datetime("us")).dt.epoch("us") / 1e6
    return series.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)


def _labels(label: pl.Series, positive: str | None) -> tuple[Ints, tuple[str, ...]]:
    text = label.cast(pl.String)
    values = sorted(text.unique().to_list())
    if (len(values) > 2 and positive is None) or len(values) > MAX_CATEGORIES:
        raise InvalidInput.of(
            "label", f"{label.name!r} has {len(values)} values; --positive names the one that counts"
        )
    if len(values) < 2:
        raise NotEnoughData("the label has a single value", {"rows": len(label), "values": len(values)})
    if positive is None:
        yes = [value for value in values if value.lower() in _YES]
        if len(yes) != 1:
            raise InvalidInput.of(
                "positive", f"which of {_listed(values)} is the positive? name it by --positive"
            )
        positive = yes[0]
    if positive not in values:
        raise InvalidInput.of("positive", f"{label.name!r} is never {positive!r}; it is {_listed(values)}")
    rest = [value for value in values if value != positive]
    return (text == positive).to_numpy().astype(np.int64), (rest[0] if len(rest) == 1 else "other", positive)


def _codes(series: pl.Series) -> Floats:
    values = sorted(series.drop_nulls().unique().to_list())
    codes = {value: float(code) for code, value in enumerate(values)}
    return numbers(series.replace_strict(codes, default=None, return_dtype=pl.Float64))


def _listed(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(map(repr, names[:most])) + (", …" if len(names) > most else "")
