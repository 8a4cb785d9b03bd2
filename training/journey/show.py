"""A journey map in the terminal: tables of what is most frequent, and where it hurts."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nba.commands.options import plain
from nba.journey.map import JourneyMap
from nba.journey.page import (
    NO_CAUSE,
    edge_rows,
    ends,
    point_rows,
    step_rows,
    told,
    unjudged,
    variant_rows,
    wait_rows,
)

_ROWS = 12
Rows = tuple[Sequence[str], Sequence[Sequence[str]]]


def show(found: JourneyMap, console: Console) -> None:
    """Print the first rows of every table; the files have the rest."""
    say(console, f"{found.cases:,} cases, {found.events:,} events, {found.steps.height:,} steps")
    for why, count in found.left_out.items():
        say(console, f"{count:,} rows were left out: {why}")
    _table(console, "steps", step_rows(found), of=found.steps.height)
    _table(console, "transitions", edge_rows(found), of=found.edges.height)
    _table(console, "variants", variant_rows(found), of=found.variants.height + found.variants_cut[0])
    _pains(console, found)
    if found.funnel is not None:
        say(console, told(found.funnel))
    for name, part in found.parts.items():
        say(console, f"\n{found.split_by} {name}: {part.cases:,} cases, {part.events:,} events")
        _table(console, "transitions", edge_rows(part), most=5, of=part.edges.height)
        if part.funnel is not None:
            say(console, told(part.funnel))


def say(console: Console, text: str) -> None:
    """Print text as text."""
    console.print(plain(text), markup=False, highlight=False, soft_wrap=True)


def _pains(console: Console, found: JourneyMap) -> None:
    _table(console, "where it hurts: steps where more cases stop than usual", point_rows(found.pains))
    _table(console, "where it waits: slow transitions", wait_rows(found.pains))
    if found.pains.points or found.pains.bottlenecks:
        say(console, NO_CAUSE)
    if found.pains.unjudged:
        say(console, unjudged(found.pains))
    if found.pains.ends:
        say(console, ends(found.pains))


def _table(console: Console, title: str, rows: Rows, most: int = _ROWS, of: int | None = None) -> None:
    head, cells = rows
    if not cells:
        return
    left = f" (the first {most:,} of {of or len(cells):,})" if len(cells) > most else ""
    table = Table(*head, title=title + left)
    for row in cells[:most]:
        table.add_row(*(Text(plain(cell)) for cell in row))
    console.print(table)
