"""Outcomes of a log's customers, what each is worth by the playbook, and for how long it counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nba.playbook.schema import Objectives
from nba.rewards.timeline import Timeline

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcomes:
    """m outcomes of the customers of a log that were known at a moment, by customer, then by time.

    Attributes:
        customer: (m,) codes; type: (m,) index into `types`; at: (m,) epoch seconds; worth: (m,) currency.
        decider: (n,) the codes of the decisions' customers.
    """

    types: tuple[str, ...]
    customer: Ints
    type: Ints
    at: Floats
    worth: Floats
    decider: Ints

    def timeline(self, types: Sequence[int]) -> tuple[Timeline, Floats]:
        """The outcomes of some types by time, and their worth."""
        rows = np.isin(self.type, types) if len(types) < len(self.types) else np.full(len(self.at), True)
        customers = int(self.decider.max(initial=-1)) + 1
        return Timeline.of(self.customer[rows], self.at[rows], customers), self.worth[rows]

    @classmethod
    def of(
        cls, objectives: Objectives, customer: pl.Series, touchpoints: pl.DataFrame, as_of: float
    ) -> Outcomes:
        """What `touchpoints` says of the customers (n,) before `as_of`; see `rewards`."""
        types = tuple(objectives.outcomes)
        deciders = pl.DataFrame({"customer": customer})
        codes = deciders.unique(maintain_order=True).with_row_index("code")
        known = (
            touchpoints.filter(pl.col("type").is_in(types) & (pl.col("occurred_at") < as_of))
            .join(codes, on="customer", how="inner")
            .select(
                pl.col("code").cast(pl.Int64),
                pl.col("type").replace_strict(
                    dict(zip(types, range(len(types)), strict=True)), return_dtype=pl.Int64
                ),
                "occurred_at",
                worth(objectives).alias("worth"),
            )
            # A fixed order, so that what happens at one time adds up to the same in any order of reading.
            .sort("code", "occurred_at", "worth", "type")
        )
        decider = deciders.join(codes, on="customer", how="left", maintain_order="left")["code"]
        return cls(
            types=types,
            customer=known["code"].to_numpy(),
            type=known["type"].to_numpy(),
            at=known["occurred_at"].to_numpy(),
            worth=known["worth"].to_numpy(),
            decider=decider.cast(pl.Int64).to_numpy(),
        )


def worth(objectives: Objectives) -> pl.Expr:
    """The worth of a touchpoint row with columns `type` and `value`; 0 for types that are no objective.

    A touchpoint without a value has the value 0.
    """
    total, amount = pl.lit(0.0), pl.col("value").fill_null(0.0)
    for name, outcome in objectives.outcomes.items():
        value = amount if outcome.value == "amount" else pl.lit(float(outcome.value))
        total = pl.when(pl.col("type") == name).then(value * outcome.weight).otherwise(total)
    return total


def main_outcome(objectives: Objectives) -> str:
    """What a customer is won by: the first outcome that is worth its own amount, else the best one."""
    outcomes = objectives.outcomes
    amounts = [name for name, outcome in outcomes.items() if outcome.value == "amount"]
    if amounts:
        return amounts[0]
    return max(outcomes, key=lambda name: float(outcomes[name].value) * outcomes[name].weight)


def window_of(objectives: Objectives, type: str) -> float:
    """Seconds for which outcomes of a type count: their own, or the objectives'."""
    own = objectives.outcomes[type].window
    return objectives.window if own is None else own


def added_together(objectives: Objectives) -> Iterator[tuple[list[int], float, float | None]]:
    """Types that add up together: each with a cap by itself, the others by window."""
    together: dict[float, list[int]] = {}
    for i, (type, outcome) in enumerate(objectives.outcomes.items()):
        if outcome.cap is None:
            together.setdefault(window_of(objectives, type), []).append(i)
        else:
            yield [i], window_of(objectives, type), outcome.cap
    for window, types in together.items():
        yield types, window, None
