"""What a day brought: outcomes of some customers as arrays, their worth, and the same as touchpoints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.simulate.commerce import Commerce, Floats, Ints

Flags = NDArray[np.bool_]

TOUCHPOINTS = pl.Schema(
    {
        "event_id": pl.String(),
        "customer_id": pl.String(),
        "type": pl.String(),
        "channel": pl.String(),
        "occurred_at": pl.Datetime("us", "UTC"),
        "value": pl.Float64(),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One kind of outcome: whether (m,), when (m,) in epoch seconds, and if the contact prompted it (m,).

    A time means something only where the outcome happened.
    """

    type: str
    happened: Flags
    at: Floats
    prompted: Flags


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Response:
    """What one day brought to m customers.

    Attributes:
        seed, day: of the draws, and so of the event ids.
        customers: (m,) their rows in the world. arm: (m,) what was tried.
        delivered: (m,) the arm was a contact and its channel was consented to.
        amount: (m,) spent, in the currency, 0 without a purchase.
        happenings: visit, opened, purchase, unsubscribed, ticket_opened, ticket_closed.
    """

    commerce: Commerce
    seed: int
    day: int
    customers: Ints
    arm: Ints
    delivered: Flags
    amount: Floats
    happenings: tuple[Happening, ...]

    def happened(self, kind: str) -> Flags:
        """(m,) whether an outcome of this type happened."""
        return next(it.happened for it in self.happenings if it.type == kind)

    def reward(self) -> Floats:
        """(m,) the day's worth by the playbook, net of the contact's cost."""
        worth = self.commerce.opened * self.happened("opened")
        worth = worth + self.commerce.unsubscribed * self.happened("unsubscribed")
        return self.amount + worth - self.commerce.cost[self.arm] * self.delivered

    def touchpoints(self) -> pl.DataFrame:
        """The day's events by time, with the columns of TOUCHPOINTS; channel is null where organic."""
        parts = [self._frame(it) for it in self.happenings if it.happened.any()]
        if not parts:
            return pl.DataFrame(schema=TOUCHPOINTS)
        return pl.concat(parts).sort("occurred_at", "event_id")

    def _frame(self, it: Happening) -> pl.DataFrame:
        rows = np.flatnonzero(it.happened)
        channel = np.where(it.prompted[rows], self.commerce.channel[self.arm[rows]], -1)
        number = pl.Series("customer", self.customers[rows])
        return pl.select(
            event_id=pl.concat_str(
                pl.lit(f"e{self.seed}.{self.day}."), number.cast(pl.String), pl.lit(f".{it.type}")
            ),
            customer_id=customer_ids(self.customers[rows]),
            type=pl.lit(it.type),
            channel=pl.Series(channel).replace_strict(
                dict(enumerate(self.commerce.channels)), default=None, return_dtype=pl.String
            ),
            occurred_at=pl.Series((it.at[rows] * 1e6).astype(np.int64)).cast(pl.Datetime("us", "UTC")),
            value=pl.Series(self.amount[rows] if it.type == "purchase" else np.zeros(len(rows))),
        )


def customer_ids(customers: Ints) -> pl.Series:
    """The ids of rows of the world: c-00017."""
    return "c-" + pl.Series("customer_id", customers).cast(pl.String).str.zfill(5)
