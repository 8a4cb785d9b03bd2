"""The study as a table for a terminal, and as JSON for a program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.coverage.cells import ESTIMATORS, Cell
from experiments.coverage.verdict import MANY, Verdict

Verdicts = Mapping[tuple[Cell, str], Verdict]


def show(found: Verdicts, logs: int, console: Console) -> None:
    """A line a cell, with coverage, width and refusals of each estimator; then what failed."""
    for reward in dict.fromkeys(cell.reward for cell, _ in found):
        console.print(_table(reward, found))
    for line in conclusions(found, logs):
        console.print(line, highlight=False, soft_wrap=True)


def conclusions(found: Verdicts, logs: int) -> list[str]:
    """What failed, in words, and how much there was."""
    failed = [
        f"FAILED {cell.name} {name}: {'; '.join(verdict.failures)}"
        for (cell, name), verdict in found.items()
        if verdict.failures
    ]
    silent = sum(verdict.coverage is None for verdict in found.values())
    total = f"{len(found)} cells of {logs:,} logs: {len(failed)} failed, {silent} refused every log."
    return [*failed, total, *_widest(found)]


def _widest(found: Verdicts) -> list[str]:
    """How much wider than the narrowest valid interval, where that is asked."""
    ratios = [
        verdict.coverage.width / verdict.narrowest[1]
        for verdict in found.values()
        if verdict.n_psi >= MANY and verdict.coverage is not None and verdict.narrowest is not None
    ]
    if not ratios:
        return []
    return [f"{len(ratios)} have a mean n_psi of {MANY:g}: {max(ratios):.2f} times the narrowest at most."]


def as_json(found: Verdicts, logs: int) -> dict[str, Any]:
    """All figures, unrounded."""
    cells = [
        {"cell": cell.name, "customers": cell.customers, "estimator": name, **_figures(verdict)}
        for (cell, name), verdict in found.items()
    ]
    return {"logs": logs, "failed": sum(bool(v.failures) for v in found.values()), "cells": cells}


def _figures(verdict: Verdict) -> dict[str, Any]:
    figures = asdict(verdict)
    if verdict.coverage is not None:
        figures["coverage"]["share"] = verdict.coverage.share
    return figures


def _table(reward: str, found: Verdicts) -> Table:
    table = Table(title=f"{reward}: covers, mean width, refused")
    for head in ("decisions", "effective", "weights", "n_psi", *ESTIMATORS):
        table.add_column(head, no_wrap=True)
    for cell in dict.fromkeys(cell for cell, _ in found if cell.reward == reward):
        verdicts = [found[cell, name] for name in ESTIMATORS]
        least, most = (f(v.n_psi for v in verdicts) for f in (min, max))
        n_psi = f"{least:,.0f}" if f"{least:.0f}" == f"{most:.0f}" else f"{least:,.0f}–{most:,.0f}"
        table.add_row(str(cell.decisions), f"{cell.effective:,}", cell.weights, n_psi, *map(_cell, verdicts))
    return table


def _cell(verdict: Verdict) -> str:
    refused = f"{100 * verdict.refused:.0f}%"
    if verdict.coverage is None:
        return f"– – {refused}"
    text = f"{verdict.coverage.share:.3f} {verdict.coverage.width:.3g} {refused}"
    return f"[bold red]{text} ✗[/bold red]" if verdict.failures else text
