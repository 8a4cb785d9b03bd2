"""Every customer of the history at one moment: their traits, and what personas are described by beside them.

One bucket of the history is in memory at a time; of a customer only these few numbers stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nba.contact.timing import local_clock
from nba.errors import NotEnoughData
from nba.features import history
from nba.journey.scores import ScoreModels
from nba.journey.segments import SegmentModel
from nba.journey.traits import PARTS, Measure, own_types, traits_of, valued_types
from nba.playbook.compile import Playbook
from nba.playbook.schema import DAY
from training.propensity.attributes import attributes_at
from training.propensity.dataset import feature_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LATELY = 90  # days
NONE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """n customers who have been seen.

    Attributes:
        customer: (n,) ids.
        values, seen: (n, d) their traits, as `Measure.values` gives them.
        worth: (n,) value of their valued touchpoints in the last 90 days; NaN where no type is valued.
        churn: (n,) probability, by the models that serve; NaN without.
        silent: (n,) 1 where the playbook calls them churned by now, else 0; NaN where it does not say.
        channel, part: (n,) the channel and the part of their own day in which they did most, as an index
            into the playbook's channels and `PARTS`; -1 where nothing is known.
        before: (n,) their segment by the model before, an index; -1 without.
    """

    customer: NDArray[np.str_]
    values: Floats
    seen: Floats
    worth: Floats
    churn: Floats
    silent: Floats
    channel: Ints
    part: Ints
    before: Ints

    def __len__(self) -> int:
        return len(self.customer)


def cohort(
    playbook: Playbook,
    directory: Path,
    as_of: float,
    scores: ScoreModels | None = None,
    before: SegmentModel | None = None,
) -> Cohort:
    """Read it from the history; nothing at or after `as_of` is seen.

    Args:
        before: an earlier model, `comparable` with the playbook.

    Raises:
        NotEnoughData: there is no customer with a touchpoint of their own.
    """
    until = datetime.fromtimestamp(as_of, UTC)
    parts = []
    for _, touchpoints in history.each_bucket(directory):
        events = touchpoints.filter(pl.col("occurred_at") < until).collect()
        seen = events.filter(pl.col("type").is_in(list(own_types(playbook))))
        if len(seen):
            parts.append(_part(playbook, events, seen, until, scores, before))
    if not parts:
        raise NotEnoughData(
            "the history has no touchpoint of a customer before this moment", {"customers": 0}
        )
    columns: dict[str, Any] = {
        f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Cohort)
    }
    return Cohort(**columns)


def _part(
    playbook: Playbook,
    events: pl.DataFrame,
    seen: pl.DataFrame,
    until: datetime,
    scores: ScoreModels | None,
    before: SegmentModel | None,
) -> Cohort:
    schema = playbook.schema
    moments = seen.select(pl.col("customer_id").unique().sort()).with_columns(
        pl.lit(until).cast(pl.Datetime("us", "UTC")).alias("at")
    )
    X = feature_rows(playbook, events, moments)
    if scores is not None:
        X[:, [schema.index[name] for name in scores.names]] = scores.scores(X)
    values, amounts = Measure(traits_of(playbook), schema.index).values(X)
    n, customers = len(moments), moments["customer_id"]
    zones = attributes_at(playbook, events, moments)[1]
    return Cohort(
        customer=customers.to_numpy().astype(np.str_),
        values=values,
        seen=amounts,
        worth=_worth(playbook, seen, customers, until),
        churn=X[:, schema.index["churn"]] if "churn" in schema.index else np.full(n, np.nan),
        silent=_silent(playbook, X),
        channel=_most(seen["customer_id"], _codes(seen["channel"], list(playbook.spec.channels)), customers),
        part=_most(seen["customer_id"], _parts(seen, customers, zones), customers),
        before=np.full(n, NONE) if before is None else before.assign(X),
    )


def _worth(playbook: Playbook, seen: pl.DataFrame, customers: pl.Series, until: datetime) -> Floats:
    valued = valued_types(playbook)
    if not valued:
        return np.full(len(customers), np.nan)
    lately = seen.filter(
        pl.col("type").is_in(list(valued)), pl.col("occurred_at") >= until - timedelta(days=LATELY)
    )
    sums = lately.group_by("customer_id").agg(pl.col("value").sum())
    joined = pl.DataFrame([customers]).join(sums, on="customer_id", how="left", maintain_order="left")
    return joined["value"].fill_null(0.0).to_numpy()


def _silent(playbook: Playbook, X: Floats) -> Floats:
    churn = playbook.spec.scores.churn
    if churn is None:
        return np.full(len(X), np.nan)
    days = X[:, [playbook.schema.index[f"days_since_{t}"] for t in churn.activity]]
    since = np.fmin.reduce(days, axis=1)
    return np.where(np.isnan(since), np.nan, (since * DAY > churn.inactivity).astype(np.float64))


def _codes(column: pl.Series, names: Sequence[str]) -> pl.Series:
    return column.replace_strict(names, range(len(names)), default=NONE, return_dtype=pl.Int64)


def _parts(seen: pl.DataFrame, customers: pl.Series, zones: Sequence[str]) -> pl.Series:
    """The part of the customer's own day in which each event was."""
    zone = seen["customer_id"].replace_strict(customers, zones, return_dtype=pl.String)
    at = (seen["occurred_at"].dt.epoch("us") // 900_000_000 * 900).cast(pl.Float64).to_numpy()  # few moments
    hour, _ = local_clock(at, zone.to_list())
    return pl.Series("part", hour.astype(np.int64) * len(PARTS) // 24)


def _most(who: pl.Series, codes: pl.Series, customers: pl.Series) -> Ints:
    """Per customer the code that comes most often, of equals the smallest; -1 where all are -1."""
    counts = (
        pl.DataFrame({"customer_id": who, "code": codes})
        .filter(pl.col("code") >= 0)
        .group_by("customer_id", "code")
        .len()
        .sort("customer_id", "len", "code", descending=[False, True, False])
        .unique("customer_id", keep="first", maintain_order=True)
    )
    joined = pl.DataFrame([customers]).join(counts, on="customer_id", how="left", maintain_order="left")
    return joined["code"].fill_null(NONE).to_numpy().astype(np.int64)
