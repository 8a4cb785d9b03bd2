"""What the store logged, as frames: shared by the A/B report and by learning from the log."""

from __future__ import annotations

import polars as pl

from nba.playbook.compile import Playbook
from nba.stores.ports import Store


def touchpoint_frame(store: Store, playbook: Playbook, *, since: float, until: float) -> pl.DataFrame:
    """Touchpoints that are objectives: customer (surrogate), type, occurred_at, value.

    What was reported both as an event and as an outcome under one id counts once.
    """
    wanted = set(playbook.spec.objectives.outcomes)
    schema = {
        "id": pl.String,
        "customer": pl.String,
        "type": pl.String,
        "occurred_at": pl.Float64,
        "value": pl.Float64,
    }
    chunks = [pl.DataFrame(schema=schema)]
    for rows in store.touchpoints(since, until):
        cells = [(r.id, r.surrogate, r.type, r.occurred_at, r.value) for r in rows if r.type in wanted]
        chunks.append(pl.DataFrame(cells, schema=schema, orient="row"))
    return pl.concat(chunks).unique(["id", "customer", "type"], keep="first", maintain_order=True).drop("id")
