"""An impact report as a table and sentences for a person."""

from __future__ import annotations

from rich.console import Console

from experiments.report.tables import captured, table
from experiments.report.words import amount
from nba.record import timestamp
from training.impact.report import Comparison, Impact
from training.impact.words import WHO


def show(impact: Impact, console: Console) -> None:
    """Print it."""

    def say(line: str, style: str | None = None) -> None:
        console.print(line, style=style, highlight=False, soft_wrap=True)

    say(f"{impact.playbook}, {timestamp(impact.since)} to {timestamp(impact.as_of)}")
    console.print(table([_row(c, impact) for c in impact.comparisons]))
    for comparison in impact.comparisons:
        say(comparison.said)
    for note in impact.notes:
        say(f"note: {note}", "dim")


def as_text(impact: Impact) -> str:
    return captured(lambda console: show(impact, console))


def _row(found: Comparison, impact: Impact) -> dict[str, str]:
    worth = found.worth
    cells = ["not known", "", "", ""]
    if worth is not None:
        cells = [
            amount(worth.value, worth.stderr),
            f"{amount(worth.low, worth.stderr)} to {amount(worth.high, worth.stderr)}",
            f"{worth.customers:,}",
            f"{worth.decisions_each:.1f}",
        ]
    heads = [
        f"more per customer, {impact.currency}",
        f"{100 * impact.level:g} % interval",
        "customers",
        "decisions each",
    ]
    return {
        "who": WHO[found.how],
        "against": found.what,
        "how": found.how,
        **dict(zip(heads, cells, strict=True)),
    }
