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
from nba.chance import Group
from nba.errors import InvalidInput
from nba.playbook.compile import Playbook, parse
from nba.playbook.schema import Groups
from nba.rewards.reward import worth
from nba.stores.ports import DecisionRow, Store

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
    """

    since: float
    as_of: float
    customers: pl.DataFrame
    expected: Mapping[str, float]
    moved: int
    recent: int

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
    playbooks = _Playbooks(playbook, store)
    chunks = [pl.DataFrame(schema=_SHOWN)]
    for rows in store.decisions(float("-inf"), as_of):
        chunks.append(_shown(rows, playbooks))
        progress(len(rows))
    shown = pl.concat(chunks)
    if shown.is_empty():
        raise InvalidInput.of("store", "has no decisions in this time; serve some first, or move --as-of")
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
    )


class _Playbooks:
    """The playbooks that decisions name, each parsed once."""

    def __init__(self, now: Playbook, store: Store) -> None:
        self._store = store
        self._known = {now.version: now}

    def cost(self, row: DecisionRow) -> float:
        arms = self._of(row.playbook).arms
        if row.arm not in arms.index:
            raise InvalidInput.of(
                "store", f"a decision names the arm {row.arm}, {row.playbook} has none such"
            )
        return float(arms.cost[arms.index[row.arm]])

    def groups(self, version: str) -> Groups:
        return self._of(version).spec.groups

    def _of(self, version: str) -> Playbook:
        if version not in self._known:
            text = self._store.playbook(version)
            if text is None:
                raise InvalidInput.of("playbook", f"the store does not keep {version}")
            self._known[version] = parse(text, source=version)
        return self._known[version]


def _shown(rows: Sequence[DecisionRow], playbooks: _Playbooks) -> pl.DataFrame:
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


def _expected(versions: pl.Series, playbooks: _Playbooks) -> dict[str, float]:
    expected: dict[str, float] = dict.fromkeys(GROUPS, 0.0)
    for version, count in versions.value_counts().iter_rows():
        shares = playbooks.groups(version)
        expected["holdout"] += shares.holdout * count
        expected["random_eligible"] += shares.random_eligible * count
        expected["treatment"] += (1 - shares.holdout - shares.random_eligible) * count
    return expected
