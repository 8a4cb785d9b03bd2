"""The A/B report as tables for a terminal, as text for a file, and as JSON for a program."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from experiments.ab import Difference
from experiments.report.compare import GroupFigures, Report
from experiments.report.tables import captured, figures, table
from experiments.report.words import (
    NAMES,
    amount,
    conclusion,
    notes,
    p_value,
    pair_name,
    percent,
    span,
    warnings,
)
from nba.errors import NotEnoughData
from nba.record import timestamp


def show(report: Report, console: Console) -> None:
    """Print the tables, the conclusions, and what to mind."""
    period = f"{timestamp(report.since)} to {timestamp(report.as_of)}"
    console.print(
        f"{report.playbook}, {period}; each: {report.currency} or count per customer", highlight=False
    )
    console.print(table(group_rows(report)))
    console.print(table(comparison_rows(report)))
    for line in (conclusion(c, report.currency, report.level) for c in report.comparisons):
        console.print(line, highlight=False, soft_wrap=True)
    for line in warnings(report):
        console.print(f"warning: {line}", style="bold red", highlight=False, soft_wrap=True)
    for line in notes(report):
        console.print(f"note: {line}", style="dim", highlight=False, soft_wrap=True)


def as_text(report: Report) -> str:
    return captured(lambda console: show(report, console))


def group_rows(report: Report) -> list[dict[str, str]]:
    """One row a group, formatted, figures per customer; a group without customers has none."""
    rows = []
    for group, f in report.groups.items():
        each = [f.decisions / f.customers, f.contacts / f.customers] if f.customers else []
        money = [f.earned / f.customers, f.cost / f.customers, f.net.mean] if f.customers else []
        rows.append(
            {
                "group": NAMES[group],
                "customers": f"{f.customers:,}",
                "by shares": f"{report.split.expected[group]:,.1f}",
                **_cells(["decisions each", "contacts each"], [f"{v:.2f}" for v in each]),
                **_cells(
                    ["earned each", "cost each", "net each"],
                    [amount(v, _stderr(f)) for v in money],
                ),
            }
        )
    return rows


def comparison_rows(report: Report) -> list[dict[str, str]]:
    """One row a comparison, formatted; without figures where the data can't carry them."""
    interval = f"{100 * report.level:g} % interval"
    heads = [f"difference, {report.currency}", interval, "p", "relative", f"relative, {interval}"]
    return [
        {"comparison": pair_name(c), **_cells(heads, [*_absolute(c.absolute), *_relative(c.relative)])}
        for c in report.comparisons
    ]


def as_json(report: Report) -> dict[str, Any]:
    """All figures, unrounded. Where there is no figure there is `not_enough_data`, which says why."""
    return {
        "playbook": report.playbook,
        "currency": report.currency,
        "since": timestamp(report.since),
        "as_of": timestamp(report.as_of),
        "level": report.level,
        "groups": {group: _group(f) for group, f in report.groups.items()},
        "comparisons": [
            {
                "treatment": c.treatment,
                "control": c.control,
                "adjusted": c.adjusted,
                "absolute": figures(c.absolute),
                "relative": figures(c.relative),
                "conclusion": conclusion(c, report.currency, report.level),
            }
            for c in report.comparisons
        ],
        "sample_ratio": _split(report),
        "moved": report.moved,
        "recent_contacts": report.recent,
        "not_counted": asdict(report.uncounted),
        "warnings": warnings(report),
        "notes": notes(report),
    }


def _group(f: GroupFigures) -> dict[str, float]:
    counts = {"customers": f.customers, "decisions": f.decisions, "contacts": f.contacts}
    sums = {"earned": f.earned, "cost": f.cost, "net": f.net.total}
    if not f.customers:
        return {**counts, **sums}
    each = {"contacts_per_customer": f.contacts / f.customers, "net_per_customer": f.net.mean}
    return {**counts, **sums, **each}


def _split(report: Report) -> dict[str, Any]:
    split = report.split
    known = not isinstance(split.p_value, NotEnoughData)
    judged = {"p_value": split.p_value} if known else figures(split.p_value)
    return {"expected": dict(split.expected), "suspicious": split.suspicious, **judged}


def _absolute(found: Difference | NotEnoughData) -> list[str]:
    if isinstance(found, NotEnoughData):
        return ["not enough data", "", ""]
    return [
        amount(found.value, found.stderr),
        span(found),
        p_value(found.p_value).removeprefix("p ").removeprefix("= "),
    ]


def _relative(found: Difference | NotEnoughData) -> list[str]:
    if isinstance(found, NotEnoughData):
        return ["not enough data", ""]
    return [percent(found.value), f"{percent(found.low)} to {percent(found.high)}"]


def _stderr(f: GroupFigures) -> float:
    return math.sqrt(f.net.variance / f.customers) if f.customers > 1 else 0.0


def _cells(heads: Sequence[str], values: Sequence[str]) -> dict[str, str]:
    return dict(zip(heads, values or [""] * len(heads), strict=True))
