"""The decisions of a store as a frame: what rewards and attribution need of them, without features and odds.

Unlike the log that is learned from it keeps decisions on arms that the playbook of now no longer has.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from experiments.log import Told, displaced
from nba.errors import InvalidInput
from nba.playbook.arms import NO_CONTACT
from nba.playbook.compile import Playbook
from nba.stores.ports import DecisionRow, Store
from training.policy.rows import parsed, variant_of

_SCHEMA = {
    "decision_id": pl.String,
    "customer": pl.String,
    "decided_at": pl.Float64,
    "arm": pl.String,
    "action": pl.String,
    "channel": pl.String,
    "timing": pl.String,
    "group": pl.String,
    "variant": pl.String,
    "playbook": pl.String,
}


def decisions(
    store: Store,
    *,
    as_of: float,
    since: float = float("-inf"),
    progress: Callable[[int], None] = lambda read: None,
) -> pl.DataFrame:
    """Decisions in [since, as_of) that were shown, by time; held ones that never were are left out.

    Columns: decision_id, customer (surrogate), decided_at (epoch seconds), arm, action, channel, timing,
    group, variant, playbook.

    Raises:
        InvalidInput: there are none.
    """
    chunks = []
    for rows in store.decisions(since, as_of):
        cells = [_cells(row) for row in rows if row.status == "active"]
        chunks.append(pl.DataFrame(cells, schema=_SCHEMA, orient="row"))
        progress(len(rows))
    if not chunks:
        raise InvalidInput.of("store", "has no decisions in this time; serve some first, or move --as-of")
    return pl.concat(chunks)


def sent(store: Store, told: Told) -> pl.Expr:
    """Whether a decision is a contact that was sent, as far as the orchestrator said."""
    unsent = pl.Series([*told.unsent, *displaced(store)], dtype=pl.String)
    return (pl.col("arm") != NO_CONTACT) & ~pl.col("decision_id").is_in(unsent.implode())


def with_cost(frame: pl.DataFrame, store: Store, playbook: Playbook) -> pl.DataFrame:
    """With a column `cost`: of each arm by `playbook`, or where that has no such arm by the decision's own.

    Actions that callers brought along cost what the playbook's catalogue says.

    Raises:
        InvalidInput: the store lacks a playbook.
    """
    keys = ["playbook", "arm", "action", "channel"]
    arms = frame.select(keys).unique(maintain_order=True)
    costs = [_cost(store, playbook, *row) for row in arms.iter_rows()]
    priced = arms.with_columns(pl.Series("cost", costs, dtype=pl.Float64))
    return frame.join(priced, on=keys, how="left", nulls_equal=True, maintain_order="left")


def _cost(store: Store, playbook: Playbook, version: str, arm: str, action: str, channel: str) -> float:
    if arm in playbook.arms.index:
        return float(playbook.arms.cost[playbook.arms.index[arm]])
    text = store.playbook(version)
    if text is None:
        raise InvalidInput.of("playbook", f"the store does not keep {version}")
    then = parsed(text, version)
    if arm in then.arms.index:
        return float(then.arms.cost[then.arms.index[arm]])
    book = playbook.spec if channel in playbook.spec.channels else then.spec
    return book.catalogue.cost + book.channels[channel].cost


def _cells(row: DecisionRow) -> tuple[object, ...]:
    return (
        row.decision_id,
        row.surrogate,
        row.decided_at,
        row.arm,
        row.action,
        row.channel,
        row.timing,
        row.group,
        variant_of(row),
        row.playbook,
    )
