"""What each customer did in a window from a moment of their own, and before it: the metrics' values.

`earned` is what outcomes are worth by the playbook, `contact` counts contacts, `net` is earned less what the
contacts cost, any other name counts touchpoints of that type. All of the customer's counts, whether or not an
outcome names a decision, and whichever decision sent the contact: the customer is what was assigned.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import polars as pl

from experiments.report.experiment.cohort import Floats, Values
from nba.playbook.experiment import Metric
from nba.playbook.schema import Objectives
from nba.rewards.reward import worth

NET, EARNED, CONTACT = "net", "earned", "contact"
_COST = "cost of contact"  # no name of a touchpoint has a space
CONTACTS = {"customer": pl.String, "occurred_at": pl.Float64, "cost": pl.Float64}


def types_of(metrics: Mapping[str, Metric]) -> set[str]:
    """The touchpoint types that the metrics count."""
    named = {name for metric in metrics.values() for name in (metric.of, metric.per) if name is not None}
    return named - {NET, EARNED, CONTACT}


def metric_values(
    metrics: Mapping[str, Metric],
    entries: pl.DataFrame,
    *,
    touchpoints: pl.DataFrame,
    contacts: pl.DataFrame,
    objectives: Objectives,
    window: float,
    before: float,
) -> dict[str, Values]:
    """Metric → the values of n customers.

    Args:
        entries: n rows of customer and entered_at, epoch seconds; a customer once.
        touchpoints: customer, type, occurred_at, value; any order.
        contacts: customer, occurred_at, cost.
        window, before: seconds; [entered_at, entered_at + window) and [entered_at − before, entered_at).
    """
    happened = _happened(touchpoints, contacts, objectives, types_of(metrics))
    during, earlier = _summed(entries, happened, window, before)

    def values(sums: Mapping[str, Floats], name: str) -> Floats:
        if name == NET:
            return values(sums, EARNED) - values(sums, _COST)
        return sums.get(name, np.zeros(entries.height))

    return {
        name: Values(
            of=values(during, metric.of),
            before=values(earlier, metric.of),
            per=None if metric.per is None else values(during, metric.per),
            per_before=None if metric.per is None else values(earlier, metric.per),
        )
        for name, metric in metrics.items()
    }


def _happened(
    touchpoints: pl.DataFrame, contacts: pl.DataFrame, objectives: Objectives, types: Collection[str]
) -> pl.DataFrame:
    """All that counts, one row each: customer, at, what, amount."""
    at, one = pl.col("occurred_at").alias("at"), pl.lit(1.0).alias("amount")
    paid = touchpoints.filter(pl.col("type").is_in(list(objectives.outcomes)))
    counted = touchpoints.filter(pl.col("type").is_in(list(types)))
    return pl.concat(
        [
            paid.select("customer", at, pl.lit(EARNED).alias("what"), worth(objectives).alias("amount")),
            counted.select("customer", at, pl.col("type").alias("what"), one),
            contacts.select("customer", at, pl.lit(CONTACT).alias("what"), one),
            contacts.select("customer", at, pl.lit(_COST).alias("what"), pl.col("cost").alias("amount")),
        ]
    )


def _summed(
    entries: pl.DataFrame, happened: pl.DataFrame, window: float, before: float
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """What → (n,) sums, in the window and before it."""
    since = pl.col("at") - pl.col("entered_at")
    near = (
        entries.with_row_index("row")
        .join(happened, on="customer")
        .with_columns(since.alias("since"))
        .filter((pl.col("since") >= -before) & (pl.col("since") < window))
        .with_columns((pl.col("since") >= 0).alias("during"))
        .group_by("what", "during", "row")
        .agg(pl.col("amount").sort().sum())  # in a fixed order, so that the same log gives the same bits
    )
    sums: tuple[dict[str, Floats], dict[str, Floats]] = ({}, {})
    for (what, during), part in near.partition_by("what", "during", as_dict=True).items():
        values = np.zeros(entries.height)
        values[part["row"].to_numpy()] = part["amount"].to_numpy()
        sums[0 if during else 1][str(what)] = values
    return sums
