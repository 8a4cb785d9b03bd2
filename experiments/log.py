"""What the store logged, as frames: shared by the A/B report and by learning from the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import polars as pl

from nba.playbook.compile import Playbook
from nba.stores.ports import Store

_SCHEMA = {
    "id": pl.String,
    "customer": pl.String,
    "type": pl.String,
    "occurred_at": pl.Float64,
    "value": pl.Float64,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """What customers did and the orchestrator told.

    Attributes:
        frame: customer (surrogate), type, occurred_at (epoch seconds), value of the types asked for.
        types: how many touchpoints there are of each type, whatever it is.
        unsent: decisions of which the orchestrator said that nothing was sent.
    """

    frame: pl.DataFrame
    types: Mapping[str, int]
    unsent: frozenset[str]


def told(store: Store, playbook: Playbook, *, since: float, until: float, also: Collection[str] = ()) -> Told:
    """Touchpoints that are objectives, or of a type in `also`, and what is to be known beside them.

    What was reported both as an event and as an outcome under one id counts once.
    """
    wanted = {*playbook.spec.objectives.outcomes, *also}
    chunks, types, unsent = [pl.DataFrame(schema=_SCHEMA)], Counter[str](), set[str]()
    for rows in store.touchpoints(since, until):
        cells = [(r.id, r.surrogate, r.type, r.occurred_at, r.value) for r in rows if r.type in wanted]
        chunks.append(pl.DataFrame(cells, schema=_SCHEMA, orient="row"))
        types.update(r.type for r in rows)
        unsent.update(r.decision_id for r in rows if r.type == "not_sent" and r.decision_id)
    known = pl.concat(chunks).unique(["id", "customer", "type"], keep="first", maintain_order=True)
    return Told(frame=known.drop("id"), types=types, unsent=frozenset(unsent))


def touchpoint_frame(
    store: Store, playbook: Playbook, *, since: float, until: float, also: Collection[str] = ()
) -> pl.DataFrame:
    """The frame of `told` alone."""
    return told(store, playbook, since=since, until=until, also=also).frame


def displaced(store: Store) -> set[str]:
    """Decisions whose contact gave way to another one's, as far back as the outbox goes."""
    found: set[str] = set()
    after = 0
    while rows := store.outbox(after):
        after = rows[-1].number
        found.update(row.decision_id for row in rows if row.type == "decision.displaced")
    return found
