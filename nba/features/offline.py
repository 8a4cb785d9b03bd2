"""Features of many moments from a history of touchpoints, point in time, in bounded memory.

Polars reads, joins and sorts; between one moment and the next the touchpoints are folded and the state
is read by the very code that serves (`nba/features/walk.py`), so training and serving share every formula.
Since sums only ever decay forward, neither short half-lives nor long histories overflow or cancel.

Frames of touchpoints have the columns customer_id, type, channel, action, occurred_at, value (others are
left alone); times are Datetime, UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from nba.errors import InvalidInput
from nba.features import history
from nba.features.layout import Codes, Layout
from nba.features.state import States
from nba.features.touchpoints import VALUE_LIMIT, Touchpoints
from nba.features.walk import Walk
from nba.playbook.declaration import FeatureSchema

Frame = pl.DataFrame | pl.LazyFrame
PART = 65_536  # moments a frame of `tables`, about


def table(
    touchpoints: Frame, moments: Frame, schema: FeatureSchema, *, inclusive: bool = False
) -> pl.DataFrame:
    """Each moment's features from the touchpoints before it.

    Args:
        moments: customer_id, at, and whatever else is to be carried through. Equal moments may repeat.
        inclusive: whether a touchpoint at the very time of the moment counts.

    Returns:
        The moments, in their order, with `schema.state_names` as Float64 columns; NaN is not known.

    Raises:
        InvalidInput: a touchpoint's value is NaN or infinite.
    """
    layout = Layout.of(schema)
    asked = moments.lazy().collect()
    customers = asked.lazy().group_by("customer_id", maintain_order=True).agg(moments=pl.len())
    customers = customers.sort("moments", descending=True, maintain_order=True).with_row_index("customer")
    numbered = asked.lazy().select("customer_id", _micros("at")).with_row_index("row")
    moment = numbered.join(customers, on="customer_id").sort("customer", "at", "row").collect()
    walk = Walk.of(_codes(moment["customer"]), _codes(moment["at"]))
    events = _encoded(touchpoints, layout).join(customers, on="customer_id", maintain_order="left").collect()
    visits = walk.visits(_codes(events["customer"]), _codes(events["at"]), inclusive=inclusive)
    known = events.with_columns(row=visits).filter(pl.col("row") >= 0).sort("row", maintain_order=True)
    visited = walk.features(layout, _touchpoints(known))
    rows = moment["row"].gather(pl.Series(walk.order))
    return asked.hstack(visited.select(pl.all().gather(rows.arg_sort())))


def tables(
    directory: Path, moments: Frame, schema: FeatureSchema, *, inclusive: bool = False
) -> Iterator[pl.DataFrame]:
    """`table` of a history on disk, bucket by bucket: together all moments, each once.

    Memory is bounded by the largest bucket and by what the caller keeps; the order is by bucket, and the
    moments of a customer stay together.
    """
    asked = moments.lazy().collect()
    numbers = history.buckets_of(asked["customer_id"])
    for bucket in numbers.unique().sort():
        part = asked.filter(numbers == bucket).sort("customer_id", maintain_order=True)
        touchpoints = history.scan(directory, [bucket])
        for lot in _whole_customers(part["customer_id"]):
            yield table(touchpoints, part[lot], schema, inclusive=inclusive)


def snapshot(touchpoints: Frame, schema: FeatureSchema) -> tuple[list[str], States]:
    """The states of all customers with a declared touchpoint: their ids, sorted, and states in that order.

    Raises:
        InvalidInput: a touchpoint's value is NaN or infinite.
    """
    layout = Layout.of(schema)
    rows = _encoded(touchpoints, layout).sort("customer_id", maintain_order=True)
    ranked = rows.with_columns(row=pl.col("customer_id").rle_id().cast(pl.Int64)).collect()
    ids: list[str] = ranked["customer_id"].unique(maintain_order=True).to_list()
    return ids, States.of(layout, len(ids), _touchpoints(ranked))


def _micros(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Datetime("us", "UTC")).dt.epoch("us").alias("at")


def _encoded(touchpoints: Frame, layout: Layout) -> pl.LazyFrame:
    """customer_id, at (microseconds), value and the codes of type, channel and action; -1 is none."""

    def code(column: str, names: tuple[str, ...]) -> pl.Expr:
        text = pl.col(column).cast(pl.String)
        return text.replace_strict(list(names), range(len(names)), default=-1, return_dtype=pl.Int64)

    rows = touchpoints.lazy().filter(pl.col("type").cast(pl.String).is_in(list(layout.types)))
    return rows.select(
        "customer_id",
        _micros("occurred_at"),
        code("type", layout.types),
        code("channel", layout.channels),
        code("action", layout.actions),
        pl.col("value").cast(pl.Float64).fill_null(0.0),
    )


def _touchpoints(rows: pl.DataFrame) -> Touchpoints:
    value = rows["value"].to_numpy()
    if not np.isfinite(value).all():
        raise InvalidInput.of("value", "must be a finite number")
    codes = {name: rows[name].to_numpy() for name in ("type", "channel", "action")}
    return Touchpoints(
        row=_codes(rows["row"]),
        at=rows["at"].to_numpy() / 1e6,
        value=np.clip(value, -VALUE_LIMIT, VALUE_LIMIT),
        **codes,
    )


def _codes(column: pl.Series) -> Codes:
    return column.to_numpy().astype(np.int64, copy=False)


def _whole_customers(customer_ids: pl.Series) -> Iterator[slice]:
    """Slices of sorted ids that part no customer, of about `PART` rows."""
    start = 0
    while start < len(customer_ids):
        last = customer_ids[min(start + PART, len(customer_ids)) - 1]
        end = int(customer_ids.search_sorted(last, side="right"))
        yield slice(start, end)
        start = end
