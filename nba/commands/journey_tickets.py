"""`nba journey tickets`: how well the loop is closed."""

from __future__ import annotations

import json
import time
from contextlib import closing
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nba.commands.options import JsonFile, Playbook, StoreUrl, console, epoch, existing_store

if TYPE_CHECKING:
    from rich.table import Table

    from nba.journey.closed_loop import Figures, Share
    from nba.stores.ports import Store
    from nba.tickets import TicketRow

_PAGE = 1_000
_HOUR = 3_600.0


def tickets(
    since: Annotated[str | None, typer.Option(help="ISO 8601; only tickets opened from then on.")] = None,
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    json_file: JsonFile = None,
) -> None:
    """Show time to settle, share in time and detractors won back, by the rule that opened the ticket.

    On the request clock now is the store's latest moment.
    """
    from nba.journey.closed_loop import by_rule, figures, won_back
    from nba.playbook.compile import load
    from nba.playbook.feedback import Feedback

    scale = (load(playbook).spec.feedback if playbook.exists() else Feedback()).nps
    start = -inf if since is None else epoch("since", since)
    with closing(existing_store(store)) as opened:
        now = time.time() if opened.clock == "live" else opened.latest()
        rows = [row for row in _all(opened) if row.opened_at >= start]
        answers = [
            (t.surrogate, t.occurred_at, t.value)
            for chunk in opened.touchpoints(max(start, -1e12), inf)
            for t in chunk
            if t.type == "nps"
        ]
        people = opened.people()
    if not rows:
        console().print("no ticket was opened", markup=False, highlight=False)
    found = {**by_rule(rows, now), "all": figures(rows, now)}
    back = won_back(rows, answers, scale, people)
    if rows:
        console().print(_table(found))
        told = f"{back.part:,} of {back.whole:,} detractors who answered again were won back{_interval(back)}"
        console().print(told, markup=False, highlight=False)
    if json_file is not None:
        values = {
            "rules": {rule or "by hand": _values(one) for rule, one in found.items()},
            "won_back": _share(back),
        }
        json_file.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _all(store: Store) -> list[TicketRow]:
    found: list[TicketRow] = []
    after = None
    while page := store.tickets(after=after, limit=_PAGE):
        found += page
        after = (page[-1].opened_at, page[-1].ticket_id)
    return found


def _table(found: dict[str, Figures]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("rule", "tickets", "open", "overdue", "in time", "median h", "9 in 10 h"):
        table.add_column(column, justify="left" if column == "rule" else "right", overflow="fold")
    for rule, one in found.items():
        share = "–" if one.in_time.value is None else f"{one.in_time.value:.0%}{_interval(one.in_time)}"
        counts = (f"{one.tickets:,}", f"{one.unsettled:,}", f"{one.overdue:,}")
        table.add_row(
            *map(Text, (rule or "by hand", *counts, share, _hours(one.median), _hours(one.slowest)))
        )
    return table


def _hours(seconds: float | None) -> str:
    """– where so many are not settled yet."""
    return "–" if seconds is None else f"{seconds / _HOUR:,.1f}"


def _interval(share: Share) -> str:
    return "" if share.low is None or share.high is None else f" ({share.low:.0%} to {share.high:.0%})"


def _values(one: Figures) -> dict[str, Any]:
    return {
        "tickets": one.tickets,
        "open": one.unsettled,
        "overdue": one.overdue,
        "in_time": _share(one.in_time),
        "median_seconds": one.median,
        "nine_in_ten_seconds": one.slowest,
    }


def _share(share: Share) -> dict[str, Any]:
    return {
        "part": share.part,
        "of": share.whole,
        "share": share.value,
        "low": share.low,
        "high": share.high,
    }
