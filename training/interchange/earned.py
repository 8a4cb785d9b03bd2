"""Rewards of a long log, a slab of decisions at a time, from the touchpoints that were just exported.

Memory holds one slab and what follows it within the objectives' window. What was reported both as an event
and as an outcome under one id counts once, where the two lie no more than a window apart.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from nba.playbook.arms import NO_CONTACT
from nba.playbook.compile import Playbook
from nba.rewards.reward import overlaps, rewards
from nba.stores.ports import DecisionRow, Store
from training.rewards.decisions import with_cost

CONTACTS = {"decision_id": pl.String, "customer": pl.String, "decided_at": pl.Float64}


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """Of n decisions: reward (None where not mature, or held and never shown), mature, overlaps."""

    reward: list[float | None]
    mature: list[bool]
    overlaps: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Earnings:
    """Where rewards of a store's decisions are computed from.

    Attributes:
        touchpoints, contacts: folders of Parquet files, ascending in time.
        unsent: decisions of which nothing was sent, as far as known.
    """

    store: Store
    playbook: Playbook
    as_of: float
    touchpoints: Path
    contacts: Path
    unsent: Collection[str]

    def of(self, rows: Sequence[DecisionRow]) -> Earned:
        """Rows in the order of time."""
        objectives = self.playbook.spec.objectives
        log = self._log(rows)
        decided_at = log["decided_at"].to_numpy()
        known = rewards(
            objectives,
            customer=log["customer"],
            decided_at=decided_at,
            cost=log["cost"].to_numpy(),
            touchpoints=self._touchpoints(float(decided_at[0]), float(decided_at[-1])),
            as_of=self.as_of,
            settle=self.playbook.spec.learning.settle or 0.0,
        )
        mature = known.mature & (log["status"] == "active").to_numpy()
        return Earned(
            reward=[r if m else None for r, m in zip(known.reward.tolist(), mature.tolist(), strict=True)],
            mature=mature.tolist(),
            overlaps=self._overlaps(log, decided_at),
        )

    def _log(self, rows: Sequence[DecisionRow]) -> pl.DataFrame:
        names = ("decision_id", "surrogate", "decided_at", "arm", "action", "channel", "playbook", "status")
        columns = {name: [getattr(row, name) for row in rows] for name in names}
        kinds: dict[str, type[pl.DataType]] = dict.fromkeys(names, pl.String) | {"decided_at": pl.Float64}
        frame = pl.DataFrame(columns, schema=kinds).rename({"surrogate": "customer"})
        return with_cost(frame, self.store, self.playbook)

    def _touchpoints(self, first: float, last: float) -> pl.DataFrame:
        window = self.playbook.spec.objectives.window
        wanted = pl.col("type").is_in(list(self.playbook.spec.objectives.outcomes))
        during = pl.col("occurred_at").is_between(first - window, last + window, closed="left")
        found = (
            pl.scan_parquet(sorted(self.touchpoints.glob("*.parquet")))
            .filter(during & wanted)
            .select("id", pl.col("surrogate").alias("customer"), "type", "occurred_at", "value")
            .collect()
        )
        return found.unique(["id", "customer", "type"], keep="first", maintain_order=True).drop("id")

    def _overlaps(self, log: pl.DataFrame, decided_at: np.ndarray) -> list[int]:
        """Other contacts in each one's window, also those that come after the slab."""
        window = self.playbook.spec.objectives.window
        during = pl.col("decided_at").is_between(
            float(decided_at[0]), float(decided_at[-1]) + window, closed="left"
        )
        unsent = pl.Series(list(self.unsent), dtype=pl.String).implode()
        contacts = (
            pl.scan_parquet(sorted(self.contacts.glob("*.parquet")))
            .filter(during & ~pl.col("decision_id").is_in(unsent))
            .collect()
        )
        everybody = pl.concat([log["customer"], contacts["customer"]]).rank("dense")
        own = (log["arm"] != NO_CONTACT) & (log["status"] == "active")
        own &= ~log["decision_id"].is_in(unsent)
        counted = overlaps(
            everybody.to_numpy().astype(np.int64) - 1,
            np.append(decided_at, contacts["decided_at"].to_numpy()),
            np.append(np.zeros(len(log), dtype=np.bool_), np.ones(len(contacts), dtype=np.bool_)),
            window,
        )
        others: np.ndarray = counted[: len(log)] - own.to_numpy()
        return [int(n) for n in others]
