"""A decision's reward: the worth of everything its customer did in the window after it, less its cost.

    r = clip(Σ worth(o) over outcomes o of the customer with decided_at ≤ t(o) < decided_at + window) − cost

The same clock for every arm, silence included, whether or not an outcome names the decision. A reward is
mature once its window has closed; before that it is not known, which is not zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nba.playbook.schema import Objectives

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewards:
    """n rewards in currency, NaN where not mature; (n,) which are mature."""

    reward: Floats
    mature: NDArray[np.bool_]


def worth(objectives: Objectives) -> pl.Expr:
    """The worth of a touchpoint row with columns `type` and `value`; 0 for types that are no objective.

    A touchpoint without a value has the value 0.
    """
    total, amount = pl.lit(0.0), pl.col("value").fill_null(0.0)
    for name, outcome in objectives.outcomes.items():
        value = amount if outcome.value == "amount" else pl.lit(float(outcome.value))
        total = pl.when(pl.col("type") == name).then(value * outcome.weight).otherwise(total)
    return total


def rewards(
    objectives: Objectives,
    *,
    customer: pl.Series,
    decided_at: Floats,
    cost: Floats,
    touchpoints: pl.DataFrame,
    as_of: float,
) -> Rewards:
    """Rewards of n decisions.

    Args:
        customer: n customers, as `touchpoints` names them.
        decided_at: (n,) epoch seconds.
        cost: (n,) what the contact cost; 0 for no contact.
        touchpoints: frame of customer, type, occurred_at (epoch seconds), value; any order.
        as_of: what is known: outcomes before this moment. A window that ends later is not mature.
    """
    known = touchpoints.filter(
        pl.col("type").is_in(list(objectives.outcomes)) & (pl.col("occurred_at") < as_of)
    )
    running = (
        known.select("customer", pl.col("occurred_at").alias("moment"), worth(objectives).alias("worth"))
        # One row a moment, added up in a fixed order: what happens at one time is earned at one time.
        .sort("customer", "moment", "worth")
        .group_by("customer", "moment", maintain_order=True)
        .agg(pl.col("worth").sum())
        .with_columns(pl.col("worth").cum_sum().over("customer").alias("earned"))
        .select("customer", "moment", "earned")
        .sort("moment")
    )
    start, end = (_earned_before(running, customer, decided_at + s) for s in (0.0, objectives.window))
    reward = end - start
    if objectives.clip is not None:
        reward = np.clip(reward, *objectives.clip)
    mature = decided_at + objectives.window <= as_of
    return Rewards(reward=np.where(mature, reward - cost, np.nan), mature=mature)


def _earned_before(running: pl.DataFrame, customer: pl.Series, moment: Floats) -> Floats:
    """(n,) what each customer had earned strictly before their moment."""
    asked = pl.DataFrame({"customer": customer, "moment": moment}).with_row_index("row").sort("moment")
    joined = asked.join_asof(
        running,
        on="moment",
        by="customer",
        strategy="backward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    earned = joined.sort("row")["earned"].fill_null(0.0).to_numpy()
    return np.asarray(earned, dtype=np.float64)
