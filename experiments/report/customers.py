"""One row a customer: group, contacts, what they earned, what contacting them cost. Compares nothing.

A customer counts from their first decision that was shown, whichever arm it drew, in the group logged with
it, and stays counted: neither whether nor when they enter depends on the group, which a hash chose, whereas
to come back for another decision may. What they earn counts on one calendar for all, up to `as_of`; later
entrants have less time, in every group alike. A customer who was moved to another group keeps the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import polars as pl

from experiments.log import touchpoint_frame
from experiments.report.kept import KeptPlaybooks
from nba.chance import Group
from nba.errors import InvalidInput
from nba.model import timestamp
from nba.playbook.compile import Playbook
from nba.rewards.reward import worth
from nba.stores.ports import DecisionRow, Store

FEW_LATER = 10_000
"""Decisions after as-of are counted so far; who asks about the past doesn't read all that came since."""
GROUPS: tuple[Group, ...] = get_args(Group)
_SHOWN = {
    "customer": pl.String,
    "group": pl.String,
    "playbook": pl.String,
    "decided_at": pl.Float64,
    "contact": pl.Boolean,
    "cost": pl.Float64,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncounted:
    """Decisions that were `held` and never shown, and those of `later`, from as-of on, up to FEW_LATER."""

    held: int
    later: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """The customers with a decision before `as_of`.

    Attributes:
        since, as_of: epoch seconds; the period in which money counts.
        customers: frame of customer (surrogate), group, entered_at (epoch seconds), decisions and contacts
            (in the period), cost (of those contacts), earned (in the period, from entry on) and before
            (earned before entry), the last three in the playbook's currency.
        expected: how many customers each group should have by the shares of the playbooks they entered under.
        moved: customers whose decisions name more than one group.
        recent: contacts so young that their reward window is still open.
        uncounted: the decisions before `as_of` and after it that count for nobody.
    """

    since: float
    as_of: float
    customers: pl.DataFrame
    expected: Mapping[str, float]
    moved: int
    recent: int
    uncounted: Uncounted

    def of(self, group: Group) -> pl.DataFrame:
        return self.customers.filter(pl.col("group") == group)


def read_cohort(
    store: Store,
    playbook: Playbook,
    *,
    as_of: float,
    since: float = float("-inf"),
    progress: Callable[[int], None] = lambda decisions: None,
) -> Cohort:
    """Read the log up to `as_of`; outcomes are worth what `playbook` says, contacts cost what theirs said.

    Args:
        progress: told how many decisions each chunk had.

    Raises:
        InvalidInput: no decision before `as_of`, `since` not before it, or a playbook the store lacks.
    """
    if since >= as_of:
        raise InvalidInput.of("since", "must be before as-of")
    playbooks = KeptPlaybooks(playbook, store)
    chunks, held = [pl.DataFrame(schema=_SHOWN)], 0
    for rows in store.decisions(float("-inf"), as_of):
        chunks.append(_shown(rows, playbooks))
        held += sum(row.status != "active" for row in rows)
        progress(len(rows))
    shown = pl.concat(chunks)
    later = len(next(store.decisions(as_of, float("inf"), chunk=FEW_LATER), []))
    uncounted = Uncounted(held=held, later=later)
    if shown.is_empty():
        raise InvalidInput.of("store", _nothing(uncounted, as_of))
    start = max(since, float(shown["decided_at"][0]))
    customers = _customers(shown, start)
    window = playbook.spec.objectives.window
    recent = pl.col("contact") & (pl.col("decided_at") > as_of - window) & (pl.col("decided_at") >= start)
    return Cohort(
        since=start,
        as_of=as_of,
        customers=_earned(store, playbook, customers.drop("groups", "playbook"), start, as_of),
        expected=_expected(customers["playbook"], playbooks),
        moved=int((customers["groups"] > 1).sum()),
        recent=shown.filter(recent).height,
        uncounted=uncounted,
    )


def _nothing(uncounted: Uncounted, as_of: float) -> str:
    left = [f"{said} {count:,}" for said, count in (("held and never shown:", uncounted.held),) if count]
    left += [f"later: {uncounted.later:,}"] if uncounted.later else []
    not_counted = f" ({', '.join(left)})" if left else ""
    return (
        f"has no decisions that were shown before {timestamp(as_of)}{not_counted}; serve some first, or move "
        "--as-of"
    )


def _shown(rows: Sequence[DecisionRow], playbooks: KeptPlaybooks) -> pl.DataFrame:
    """Decisions that were shown; held ones that never were tell nothing."""
    cells = [
        (row.surrogate, row.group, row.playbook, row.decided_at, row.channel is not None, playbooks.cost(row))
        for row in rows
        if row.status == "active"
    ]
    return pl.DataFrame(cells, schema=_SHOWN, orient="row")


def _customers(shown: pl.DataFrame, since: float) -> pl.DataFrame:
    counts = pl.col("decided_at") >= since
    return shown.group_by("customer", maintain_order=True).agg(
        pl.col("group").first(),
        pl.col("playbook").first(),
        pl.col("decided_at").first().alias("entered_at"),
        pl.col("group").n_unique().alias("groups"),
        counts.sum().cast(pl.Int64).alias("decisions"),
        (counts & pl.col("contact")).sum().cast(pl.Int64).alias("contacts"),
        pl.col("cost").filter(counts).sum().alias("cost"),
    )


def _earned(
    store: Store, playbook: Playbook, customers: pl.DataFrame, since: float, as_of: float
) -> pl.DataFrame:
    """With the columns `earned`, from entry and `since` on, and `before`, until entry."""
    entered, at = pl.col("entered_at"), pl.col("occurred_at")
    during, before = (at >= entered) & (at >= since), at < entered
    sums = (
        touchpoint_frame(store, playbook, since=float("-inf"), until=as_of)
        .join(customers.select("customer", "entered_at"), on="customer")
        .with_columns(worth(playbook.spec.objectives).alias("worth"))
        .group_by("customer")
        .agg(
            pl.col("worth").filter(during).sum().alias("earned"),
            pl.col("worth").filter(before).sum().alias("before"),
        )
    )
    joined = customers.join(sums, on="customer", how="left", maintain_order="left")
    return joined.with_columns(pl.col("earned", "before").fill_null(0.0))


def _expected(versions: pl.Series, playbooks: KeptPlaybooks) -> dict[str, float]:
    expected: dict[str, float] = dict.fromkeys(GROUPS, 0.0)
    for version, count in versions.value_counts().iter_rows():
        shares = playbooks.of(version).spec.groups
        expected["holdout"] += shares.holdout * count
        expected["random_eligible"] += shares.random_eligible * count
        expected["treatment"] += (1 - shares.holdout - shares.random_eligible) * count
    return expected
