"""Stages as tables for a person."""

from __future__ import annotations

from rich.console import Console

from experiments.report.tables import table
from nba.model import timestamp
from nba.playbook.schema import DAY
from training.stages.report import Stages, Standing


def show(found: Stages, console: Console) -> None:
    """Print it."""

    def say(line: str, style: str | None = None) -> None:
        console.print(line, style=style, highlight=False, soft_wrap=True, markup=False)

    say(f"{found.playbook}, {found.customers:,} customers as of {timestamp(found.as_of)}")
    console.print(table([_row(one) for one in found.stages]))
    if found.unknown:
        say(f"{found.unknown:,} customers stand in none: no stage's rule surely holds for them")
    if found.transitions:
        console.print(
            table(
                [
                    {
                        "from → to": f"{t.before} → {t.after}",
                        "changes": f"{t.count:,}",
                        "customers": f"{t.customers:,}",
                        "median stay before": _length(t.median_seconds),
                    }
                    for t in found.transitions
                ]
            )
        )
    else:
        say("no change of stage has been noticed yet; the server notices them at events and decisions")
    say("stays that go on count for as long as they have lasted (Kaplan–Meier)", "dim")


def _row(one: Standing) -> dict[str, str]:
    stays = one.over + one.going_on
    lengths = [_length(length) for length in one.dwell_seconds] if stays else ["not known"]
    return {
        "stage": one.stage,
        "customers": f"{one.customers:,} ({100 * one.share:.0f} %)",
        "stay, quartiles": " / ".join(lengths),
        "stays over, going on": f"{one.over:,}, {one.going_on:,}",
        "moves on": _percent(one.move_on),
        "falls back": _percent(one.fall_back),
    }


def _length(seconds: float | None) -> str:
    if seconds is None:
        return "longer"
    if seconds >= 2 * DAY:
        return f"{seconds / DAY:.0f} d"
    return f"{seconds / 3600:.0f} h" if seconds >= 7200 else f"{seconds / 60:.0f} min"


def _percent(value: float | None) -> str:
    return "not known" if value is None else f"{100 * value:.0f} %"
