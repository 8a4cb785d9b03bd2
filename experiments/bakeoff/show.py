"""The standing as tables for a terminal, and as JSON for a program."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.bakeoff.contest import Result
from experiments.bakeoff.entrants import ENTRANTS, OURS
from experiments.bakeoff.table import Cell, Standing
from nba.errors import NotEnoughData


def show(found: Standing, result: Result, console: Console) -> None:
    """Print errors by set, then ranks, then what was checked."""
    console.print("Progressive error, in percent, ± standard error over shuffles", highlight=False)
    ranked = [name for name in result.entrants if ENTRANTS[name].ranked]
    others = [name for name in result.entrants if not ENTRANTS[name].ranked]
    console.print(_errors(found, result, ranked))
    if others:
        console.print("Out of competition", highlight=False)
        console.print(_errors(found, result, others))
    console.print(_ranks(found))
    for line in conclusions(found):
        console.print(line, highlight=False, soft_wrap=True)


def conclusions(found: Standing) -> list[str]:
    """What the table says, in words."""
    checked = found.exactness
    lines = [
        f"Nemenyi: mean ranks {found.critical:.2f} or more apart differ at 5 %.",
        f"Odds of {OURS}: sums miss 1 by at most {checked.off:.0e}; the least is {checked.least:.3g}/k;"
        f" draws against odds, chi-square {checked.chi_square:.1f} on {checked.freedom} games,"
        f" p = {checked.p_value:.2g}.",
    ]
    if isinstance(found.friedman, float):
        lines.insert(0, f"Friedman: p = {found.friedman:.2g} that all policies are alike.")
    return lines


def as_json(found: Standing, result: Result) -> dict[str, Any]:
    """All figures, unrounded. Where there is no figure there is `not_enough_data`, which says why."""
    test = found.friedman
    return {
        "sets": {task: {"rows": rows} for task, rows in result.rows.items()},
        "cells": [
            {"set": task, "policy": name, "setting": cell.setting, "error": cell.error, **_spread(cell)}
            for (task, name), cell in found.cells.items()
        ],
        "mean_rank": found.ranks,
        "versus": [asdict(v) for v in found.versus],
        "friedman": {"not_enough_data": test.detail} if isinstance(test, NotEnoughData) else test,
        "critical_difference": found.critical,
        "exactness": asdict(found.exactness),
        "microseconds": found.microseconds,
    }


def _errors(found: Standing, result: Result, names: list[str]) -> Table:
    table = Table("set", "rows", *names)
    for task in result.tasks:
        cells = {name: found.cells[task, name] for name in names}
        least = min(cell.error for cell in cells.values())
        texts = [_percent(cell, bold=cell.error == least) for cell in cells.values()]
        table.add_row(task, f"{result.rows[task]:,}", *texts)
    return table


def _ranks(found: Standing) -> Table:
    heads = ("ours less it", "95 % interval", "ours wins", "p", "µs a decision")
    table = Table("policy", "mean rank", "ours beside it", *heads)
    table.add_row(OURS, f"{found.ranks[OURS]:.2f}", "", "", "", "", "", _time(found, OURS), style="bold")
    for v in sorted(found.versus, key=lambda v: (v.rival not in found.ranks, v.theirs)):
        out = v.rival not in found.ranks
        table.add_row(
            v.rival,
            f"({v.theirs:.2f})" if out else f"{v.theirs:.2f}",
            f"{v.ours:.2f}",
            f"{v.rank:+.2f}",
            f"{v.low:+.2f} to {v.high:+.2f}",
            str(v.wins),
            f"{v.p_value:.2g}",
            _time(found, v.rival),
            style="dim" if out else None,
        )
    return table


def _time(found: Standing, name: str) -> str:
    return f"{found.microseconds[name]:,.0f}"


def _percent(cell: Cell, *, bold: bool) -> str:
    text = f"{100 * cell.error:.1f}"
    if len(cell.errors) > 1:
        text += f" ±{100 * cell.stderr:.1f}"
    return f"[bold]{text}[/bold]" if bold else text


def _spread(cell: Cell) -> dict[str, Any]:
    return {"errors": list(cell.errors), **({"stderr": cell.stderr} if len(cell.errors) > 1 else {})}
