"""Labelled moments from the history: what was known of a customer then, and what came after.

Features see only touchpoints before the moment, labels only those in (moment, moment + horizon]. A moment
whose horizon ends after the history does carries no label: what has not been seen yet is not a "no".
One bucket of the history is in memory at a time. Models and their metrics are not made here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nba.contact.timing import local_clock
from nba.errors import NotEnoughData
from nba.features import history, offline
from nba.playbook.compile import Playbook
from nba.playbook.schema import DAY
from training.propensity.attributes import attributes_at

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
UNKNOWN = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """When customers are looked at: once in every `every` seconds from their first touchpoint on, at a
    random moment of each stretch; of all these at most about `most`, chosen at random."""

    every: float = 7 * DAY
    most: int = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """n moments of customers.

    Attributes:
        X: (n, F) features in schema order; context, scores and stage are NaN.
        later: (n, F) the same after the reward window; NaN rows where the history ends before.
        customer, at: (n,) whose moment, and when, epoch seconds.
        until: the end of the history that the labels have seen, epoch seconds.
        labels: per score (n,) 1, 0, or -1 where it is not known or not asked.
    """

    X: Floats
    later: Floats
    customer: NDArray[np.str_]
    at: Floats
    until: float
    labels: Mapping[str, Ints]


def dataset(playbook: Playbook, directory: Path, as_of: float, grid: Grid = Grid(), seed: int = 0) -> Dataset:
    """Build it from a history of touchpoints; nothing after `as_of` is seen, nor after the last touchpoint.

    Raises:
        NotEnoughData: no customer has a moment whose shortest horizon the history covers.
    """
    until = _datetime(as_of)
    firsts, end = _firsts(directory, playbook.schema.types, until)
    moments = _moments(firsts, end - min(_horizons(playbook)), grid, seed)
    if moments.is_empty():
        raise NotEnoughData("the history covers no moment and its horizon", {"customers": float(len(firsts))})
    parts = []
    for bucket, touchpoints in history.each_bucket(directory):
        own = moments.filter(pl.col("bucket") == bucket).drop("bucket")
        if len(own):
            events = touchpoints.filter(pl.col("occurred_at") <= until).collect()
            parts.append(_labelled(playbook, events, own, end))
    return Dataset(
        X=np.concatenate([p.X for p in parts]),
        later=np.concatenate([p.later for p in parts]),
        customer=np.concatenate([p.customer for p in parts]),
        at=np.concatenate([p.at for p in parts]),
        until=end,
        labels={name: np.concatenate([p.labels[name] for p in parts]) for name in parts[0].labels},
    )


def feature_rows(playbook: Playbook, events: pl.DataFrame, moments: pl.DataFrame) -> Floats:
    """(n, F) what was known strictly before each moment (customer_id, at); no context, scores or stage."""
    schema = playbook.schema
    X = np.full((len(moments), len(schema)), np.nan)
    state = offline.table(events, moments, schema, inclusive=False)
    X[:, : len(schema.state_names)] = state.select(schema.state_names).to_numpy()
    attributes, zones = attributes_at(playbook, events, moments)
    for column, feature in enumerate(schema.features):
        if feature.group == "attribute":
            X[:, column] = attributes[feature.name]
    hour, weekday = local_clock(_epoch(moments["at"]), zones)
    X[:, schema.index["hour"]], X[:, schema.index["weekday"]] = hour, weekday
    return X


def _labelled(playbook: Playbook, events: pl.DataFrame, moments: pl.DataFrame, end: float) -> Dataset:
    at = _epoch(moments["at"])
    labels: dict[str, Ints] = {}
    for name, propensity in playbook.spec.scores.propensity.items():
        came = _came(events, moments, [propensity.event], propensity.horizon)
        labels[f"propensity_{name}"] = _known(came, at + propensity.horizon <= end)
    churn = playbook.spec.scores.churn
    if churn is not None:
        active = _since(events, moments, churn.activity) <= churn.inactivity
        came = _came(events, moments, churn.activity, churn.inactivity)
        labels["churn"] = _known(~came, active & (at + churn.inactivity <= end))
    return Dataset(
        X=feature_rows(playbook, events, moments),
        later=_later(playbook, events, moments, end),
        customer=moments["customer_id"].to_numpy().astype(np.str_),
        at=at,
        until=end,
        labels=labels,
    )


def _later(playbook: Playbook, events: pl.DataFrame, moments: pl.DataFrame, end: float) -> Floats:
    window = playbook.spec.objectives.window
    covered = _epoch(moments["at"]) + window <= end
    later = np.full((len(moments), len(playbook.schema)), np.nan)
    if covered.any():
        shifted = moments.filter(pl.Series(covered)).with_columns(
            pl.col("at") + pl.duration(microseconds=int(window * 1e6))
        )
        later[covered] = feature_rows(playbook, events, shifted)
    return later


def _known(label: NDArray[np.bool_], known: NDArray[np.bool_]) -> Ints:
    return np.where(known, label.astype(np.int64), UNKNOWN)


def _came(
    events: pl.DataFrame, moments: pl.DataFrame, types: Sequence[str], horizon: float
) -> NDArray[np.bool_]:
    """(n,) whether a touchpoint of one of the types lies in (at, at + horizon]."""
    following = _nearest(events, moments, types, "forward")
    return np.asarray(following - _epoch(moments["at"]) <= horizon)


def _since(events: pl.DataFrame, moments: pl.DataFrame, types: Sequence[str]) -> Floats:
    """(n,) seconds since the last touchpoint of one of the types before the moment; NaN where none is."""
    return _epoch(moments["at"]) - _nearest(events, moments, types, "backward")


def _nearest(events: pl.DataFrame, moments: pl.DataFrame, types: Sequence[str], way: str) -> Floats:
    """(n,) epoch seconds of the nearest such touchpoint strictly on one side; NaN where none is."""
    asked = moments.with_row_index("row").sort("at")
    events = events.filter(pl.col("type").is_in(list(types)))
    events = events.select(
        "customer_id", pl.col("occurred_at").alias("when"), pl.col("occurred_at").alias("at")
    )
    joined = asked.join_asof(
        events.sort("at"),
        on="at",
        by="customer_id",
        strategy="forward" if way == "forward" else "backward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    return _epoch(joined.sort("row")["when"])


def _firsts(directory: Path, types: Sequence[str], until: datetime) -> tuple[pl.DataFrame, float]:
    """Each customer's first declared touchpoint, by id, and the time of the last touchpoint of all."""
    touchpoints = history.scan(directory).filter(
        pl.col("occurred_at") <= until, pl.col("type").is_in(list(types))
    )
    spans = touchpoints.group_by("customer_id").agg(
        pl.col("occurred_at").min().alias("first"), pl.col("occurred_at").max().alias("last")
    )
    frame = spans.sort("customer_id").collect()
    end = float(_epoch(frame["last"]).max()) if len(frame) else 0.0
    return frame.drop("last"), end


def _moments(firsts: pl.DataFrame, latest: float, grid: Grid, seed: int) -> pl.DataFrame:
    """customer_id, at and bucket of the grid's moments up to `latest`, in the order of the customers."""
    first = _epoch(firsts["first"])
    counts = np.maximum(np.floor((latest - first) / grid.every), 0).astype(np.int64)
    ends, rng = np.cumsum(counts), np.random.default_rng(seed)
    total = int(counts.sum())
    chosen = np.arange(total) if total <= grid.most else np.unique(rng.integers(total, size=grid.most))
    who = np.searchsorted(ends, chosen, side="right")
    stretch = chosen - (ends - counts)[who] + rng.random(len(chosen))
    at = pl.Series("at", ((first[who] + stretch * grid.every) * 1e6).astype(np.int64))
    customer = firsts["customer_id"].gather(who)
    frame = pl.DataFrame([customer, at.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")])
    return frame.with_columns(history.buckets_of(customer).alias("bucket"))


def _horizons(playbook: Playbook) -> list[float]:
    churn = playbook.spec.scores.churn
    horizons = [p.horizon for p in playbook.spec.scores.propensity.values()]
    return [*horizons, *([churn.inactivity] if churn else []), playbook.spec.objectives.window]


def _epoch(times: pl.Series) -> Floats:
    """Epoch seconds; null becomes NaN."""
    return (times.dt.epoch("us").cast(pl.Float64) / 1e6).fill_null(float("nan")).to_numpy()


def _datetime(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
