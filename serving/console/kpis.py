"""The overview's figures, by week, from the newest rows of the log. Pure: frames in, figures out.

    conversion        customers decided for in a week who then had the main outcome in it ÷ those decided for
    reward            (worth of these customers' outcomes − cost of their contacts) in the week ÷ customers
    contact pressure  contacts in the week ÷ customers decided for in it
    retention         customers active in the 28 days before the last 28 who are active in these too
    NPS               share of happy answers − share of unhappy ones, by the playbook's scale, times 100

Weeks are counted back from the last midnight, so the last one is whole. A week without what a figure is
made of has none, which is not zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from nba.journey.events import NO_STEPS
from nba.playbook.arms import NO_CONTACT
from nba.playbook.compile import Playbook
from nba.rewards.outcomes import main_outcome, worth
from nba.stores.ports import DrawRow, TouchpointRow
from serving.console.figure import Figure
from serving.console.surveys import surveyed

WEEK = 7 * 86_400.0
MONTH = 28 * 86_400.0
_DRAWN = {"customer": pl.String, "at": pl.Float64, "arm": pl.String, "cost": pl.Float64}
_TOUCHED = {"id": pl.String, "customer": pl.String, "type": pl.String, "at": pl.Float64, "value": pl.Float64}


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """[start, end), epoch seconds, with its figures."""

    start: float
    end: float
    decisions: int
    customers: int
    conversion: Figure
    reward: Figure
    pressure: Figure
    retention: Figure
    nps: Figure


def drawn_frame(rows: Sequence[DrawRow], playbook: Playbook) -> pl.DataFrame:
    """Shown decisions with what their contact cost by today's playbook; columns of `_DRAWN`."""
    costs = dict(zip(playbook.arms.names, playbook.arms.cost.tolist(), strict=True))
    other = playbook.spec.catalogue.cost
    cells = [
        (r.surrogate, r.decided_at, r.arm, 0.0 if r.arm == NO_CONTACT else costs.get(r.arm, other))
        for r in rows
        if r.status == "active"
    ]
    return pl.DataFrame(cells, schema=_DRAWN, orient="row")


def touched_frame(rows: Sequence[TouchpointRow], playbook: Playbook) -> pl.DataFrame:
    """What customers did, with its `worth`; told as event and as outcome under one id it counts once."""
    cells = [(r.id, r.surrogate, r.type, r.occurred_at, r.value) for r in rows if r.type not in NO_STEPS]
    frame = pl.DataFrame(cells, schema=_TOUCHED, orient="row")
    return frame.unique(["id", "customer", "type"], keep="first", maintain_order=True).with_columns(
        worth=worth(playbook.spec.objectives)
    )


def last_midnight(now: float, since: float, zone: str) -> float:
    """When today began in a time zone, so that what is decided at one hour falls into one week with what
    followed; `now` where the log, which begins at `since`, is not a week older."""
    local = datetime.fromtimestamp(now, ZoneInfo(zone))
    began = local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    return began if began - since >= WEEK else now


def periods(
    drawn: pl.DataFrame,
    touched: pl.DataFrame,
    playbook: Playbook,
    *,
    since: float,
    until: float,
    most: int = 8,
) -> list[Period]:
    """The last `most` whole weeks of [since, until), oldest first; the whole of it where it is shorter."""
    weeks = max(1, min(most, int((until - since) // WEEK)))
    length = min(WEEK, until - since)
    starts = [until - length * (weeks - i) for i in range(weeks)]
    return [_period(drawn, touched, playbook, since, start, start + length) for start in starts]


def _period(
    drawn: pl.DataFrame, touched: pl.DataFrame, playbook: Playbook, since: float, start: float, end: float
) -> Period:
    within = pl.col("at").is_between(start, end, closed="left")
    decided, happened = drawn.filter(within), touched.filter(within)
    first = decided.group_by("customer").agg(pl.col("at").min().alias("first"))
    theirs = happened.join(first, on="customer").filter(pl.col("at") >= pl.col("first"))
    customers = first.height
    won = theirs.filter(pl.col("type") == main_outcome(playbook.spec.objectives))["customer"].n_unique()
    contacts = decided.filter(pl.col("arm") != NO_CONTACT).height
    net = float(theirs["worth"].sum()) - float(decided["cost"].sum())
    return Period(
        start=start,
        end=end,
        decisions=decided.height,
        customers=customers,
        conversion=_share(won, customers),
        reward=_mean(net, customers),
        pressure=_mean(contacts, customers),
        retention=_retention(touched, since, end),
        nps=_nps(happened, playbook),
    )


def _retention(touched: pl.DataFrame, since: float, end: float) -> Figure:
    if end - 2 * MONTH < since - 1.0:
        return Figure(value=None, n=0)
    at = pl.col("at")
    before = touched.filter(at.is_between(end - 2 * MONTH, end - MONTH, closed="left"))["customer"].unique()
    after = touched.filter(at.is_between(end - MONTH, end, closed="left"))["customer"].unique()
    return _share(int(before.is_in(after.implode()).sum()), len(before))


def _nps(happened: pl.DataFrame, playbook: Playbook) -> Figure:
    answers = happened.filter(pl.col("type") == "nps").select("customer", "value")
    return surveyed("nps", playbook.spec.feedback.nps, list(answers.iter_rows()))


def _share(hits: int, n: int) -> Figure:
    """With Wilson's 95% interval."""
    if n == 0:
        return Figure(value=None, n=0)
    z, p = 1.959964, hits / n
    middle, scale = (p + z * z / (2 * n)), 1 + z * z / n
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Figure(value=p, n=n, low=(middle - half) / scale, high=(middle + half) / scale)


def _mean(total: float, n: int) -> Figure:
    return Figure(value=total / n if n else None, n=n)
