"""Recomputed rewards in words, and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from nba.errors import NotEnoughData
from training.rewards.recompute import Moved, Recomputed, kinds, overlapping


def show(found: Recomputed, change: Moved | None, console: Console) -> None:
    """Print the summary."""
    mature = int(found.frame["mature"].sum())
    _say(console, f"reward {found.version}: {found.frame.height:,} decisions, {mature:,} mature")
    table = Table(
        "arm", "decisions", "mature", "mean reward", "expected of all", title=f"In {found.currency}"
    )
    for kind in kinds(found):
        figures = (_figure(kind.reward), _figure(kind.expected))
        table.add_row(kind.name, f"{kind.decisions:,}", f"{kind.mature:,}", *figures)
    console.print(table)
    if found.untold is not None:
        _say(console, f"no expectation of what is not mature: {found.untold.detail}")
    _say(console, f"{overlapping(found):.1%} of the windows hold another contact of the customer")
    if change is not None:
        _say(console, _moved(change))
    for word in found.misspelt:
        _say(console, f"warning: {word}")


def as_json(found: Recomputed, change: Moved | None) -> dict[str, Any]:
    return {
        "reward_version": found.version,
        "currency": found.currency,
        "decisions": found.frame.height,
        "mature": int(found.frame["mature"].sum()),
        "kinds": [asdict(kind) for kind in kinds(found)],
        "overlapping": overlapping(found),
        "no_expectation": found.untold.detail if found.untold else None,
        "against": _change(change) if change else None,
        "misspelt": [asdict(word) for word in found.misspelt],
    }


def _moved(change: Moved) -> str:
    told = (
        f"{change.decisions:,} decisions are mature under both: mean {change.before:.4f} → {change.after:.4f}"
    )
    related = change.correlation
    how = related.detail if isinstance(related, NotEnoughData) else f"correlation {related:.4f}"
    return f"{told}, {change.changed:.1%} changed, {how}"


def _change(change: Moved) -> dict[str, Any]:
    related = change.correlation
    refused = isinstance(related, NotEnoughData)
    return {
        "decisions": change.decisions,
        "before": change.before,
        "after": change.after,
        "changed": change.changed,
        "correlation": None if refused else related,
        "why_no_correlation": related.detail if isinstance(related, NotEnoughData) else None,
    }


def _figure(mean: float | None) -> str:
    return "none yet" if mean is None else f"{mean:.4f}"


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
