"""Which steps and transitions a picture shows, so that it stays readable, and what it leaves out."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from nba.journey.map import JourneyMap

MOST_STEPS, MOST_EDGES = 20, 32
RARE = 0.004  # of the crossings of the most frequent transition; rarer ones are shown only where needed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """The frames of a map's steps and edges that are shown; `said` is what they are of the whole."""

    steps: pl.DataFrame
    edges: pl.DataFrame
    said: str


def choose(found: JourneyMap, most_steps: int = MOST_STEPS, most_edges: int = MOST_EDGES) -> Shown:
    """The most frequent steps, and of the transitions between them the most frequent; always the most
    frequent one into each step, and out of it, so that none hangs in the air unless it does."""
    steps = found.steps.head(most_steps)
    names = steps["step"].implode()
    between = found.edges.filter(pl.col("from").is_in(names), pl.col("to").is_in(names))
    apart = between.filter(pl.col("from") != pl.col("to"))
    needed = pl.concat([apart.unique(side, keep="first", maintain_order=True) for side in ("to", "from")])
    frequent = apart.filter(pl.col("count") >= RARE * pl.col("count").max())
    wanted = pl.concat([needed, frequent]).unique(["from", "to"], keep="first", maintain_order=True)
    most = max(most_edges, needed.unique(["from", "to"]).height)
    kept = wanted.head(most).sort("count", "from", "to", descending=[True, False, False])
    itself = between.filter(pl.col("from") == pl.col("to"))
    return Shown(steps=steps, edges=pl.concat([kept, itself]), said=_said(found, steps, kept, itself))


def _said(found: JourneyMap, steps: pl.DataFrame, kept: pl.DataFrame, itself: pl.DataFrame) -> str:
    crossings = int(found.edges["count"].sum())
    shown = int(kept["count"].sum()) + int(itself["count"].sum())
    share = f", {shown / crossings:.1%} of all {crossings:,} crossings" if crossings else ""
    return (
        f"Shown are {steps.height:,} of {found.steps.height:,} steps and {kept.height + itself.height:,} of "
        f"{found.edges.height:,} transitions{share}; the tables and the JSON have the rest."
    )
