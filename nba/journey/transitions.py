"""What follows what: the directly-follows graph of journeys, and their frequent variants.

    count(a, b)   how often an event of step b comes next after one of step a, in the same case
    share(a, b)   count(a, b) / events of a: together with the share that ends at a they add up to 1
    variant       the whole sequence of a case's steps; cases with the same sequence are one variant

Van der Aalst (2016), Process Mining, §5.2 and §2.2. A step that follows itself is an edge too.
"""

from __future__ import annotations

import polars as pl

from nba.journey.events import Events, Floats

MOST_VARIANTS = 1_000


def steps(events: Events) -> pl.DataFrame:
    """step, count (events), cases, starts, ends, drop_off (ends / count); the most frequent first."""
    frame = _frame(events).with_columns(first=pl.Series(events.first), last=pl.Series(events.last))
    sums = frame.group_by("step").agg(
        count=pl.len().cast(pl.Int64),
        cases=pl.col("case").n_unique().cast(pl.Int64),
        starts=pl.col("first").sum().cast(pl.Int64),
        ends=pl.col("last").sum().cast(pl.Int64),
    )
    named = _named(sums, events, "step").with_columns(drop_off=pl.col("ends") / pl.col("count"))
    return named.sort("count", "step", descending=[True, False])


def edges(events: Events) -> pl.DataFrame:
    """from, to, count, share (of the events of `from`), median_seconds, mean_seconds; most frequent first."""
    gap: Floats = events.gap
    following = _frame(events).with_columns(pl.col("step").shift(-1).alias("to"), gap=pl.Series(gap))
    sums = (
        following.filter(~pl.Series(events.last))
        .group_by(pl.col("step").alias("from"), "to")
        .agg(
            count=pl.len().cast(pl.Int64),
            median_seconds=pl.col("gap").median(),
            mean_seconds=pl.col("gap").mean(),
        )
    )
    visits = _frame(events).group_by(pl.col("step").alias("from")).agg(visits=pl.len())
    shares = sums.join(visits, on="from").with_columns(share=pl.col("count") / pl.col("visits"))
    named = _named(_named(shares, events, "from"), events, "to")
    ordered = named.sort("count", "from", "to", descending=[True, False, False])
    return ordered.select("from", "to", "count", "share", "median_seconds", "mean_seconds")


def variants(events: Events) -> pl.DataFrame:
    """steps (list), count (cases), share (of all cases), median_seconds from first to last event.

    All of them, the most frequent first; those as frequent as each other by the steps' names.
    """
    keyed = _frame(events).with_columns(at=pl.Series(events.at), text=pl.col("step").cast(pl.String))
    cases = keyed.group_by("case", maintain_order=True).agg(
        key=pl.col("text").str.join(","), took=(pl.col("at").last() - pl.col("at").first()) / 1e6
    )
    sums = cases.group_by("key").agg(count=pl.len().cast(pl.Int64), median_seconds=pl.col("took").median())
    codes = pl.col("key").str.split(",").list.eval(pl.element().cast(pl.Int64))
    names = pl.Series(events.steps, dtype=pl.String)
    by_name = sums.with_columns(
        codes.list.eval(pl.element().replace_strict(range(len(names)), names, return_dtype=pl.String)).alias(
            "steps"
        ),
        share=pl.col("count") / events.cases,
    )
    tie = by_name.with_columns(tie=pl.col("steps").list.join("\x1f"))
    return tie.sort("count", "tie", descending=[True, False]).select(
        "steps", "count", "share", "median_seconds"
    )


def _frame(events: Events) -> pl.DataFrame:
    return pl.DataFrame({"case": events.case, "step": events.step})


def _named(frame: pl.DataFrame, events: Events, column: str) -> pl.DataFrame:
    """Codes of steps → their names."""
    names = pl.Series(events.steps, dtype=pl.String)
    return frame.with_columns(names.gather(frame[column]).alias(column))
