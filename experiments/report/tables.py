"""Rows of formatted cells as a table for a terminal; figures for a program, each or why there is none."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.ab import Difference
from nba.errors import NotEnoughData

_FIGURES = tuple(field.name for field in fields(Difference))


def table(rows: Sequence[Mapping[str, str]]) -> Table:
    """Rows of like keys; the first column is a name."""
    made = Table()
    for position, head in enumerate(rows[0]):
        made.add_column(head, justify="left" if position == 0 else "right")
    for row in rows:
        made.add_row(*row.values())
    return made


def captured(show: Callable[[Console], None]) -> str:
    """What would be printed, as plain text."""
    console = Console(file=io.StringIO(), width=160, no_color=True, force_terminal=False)
    with console.capture() as capture:
        show(console)
    return capture.get()


def figures(found: Difference | NotEnoughData | float) -> dict[str, Any]:
    """Unrounded; an end that is not finite is left out, since JSON has no such number."""
    if isinstance(found, NotEnoughData):
        return {"not_enough_data": found.detail, "figures": found.figures}
    if not isinstance(found, Difference):
        return {"value": found}
    values = {name: getattr(found, name) for name in _FIGURES}
    return {name: value for name, value in values.items() if math.isfinite(value)}
