"""A health report for a person: what is out of bounds, what was looked at, what could not be."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from experiments.report.tables import captured, table
from nba.record import timestamp
from training.health.report import Check, HealthReport
from training.quarantine import Quarantine


def show(report: HealthReport, quarantined: Sequence[Quarantine], console: Console) -> None:
    """Print it."""

    def say(line: str, style: str | None = None) -> None:
        console.print(line, style=style, highlight=False, soft_wrap=True)

    say(
        f"{timestamp(report.window[0])} to {timestamp(report.window[1])}, {report.decisions:,} decisions, "
        f"against {report.before:,} from {timestamp(report.reference[0])} on"
    )
    if report.checks:
        console.print(table(rows(report)))
    for check in report.breached:
        say(f"out of bounds: {check.detail}", "bold red")
    if not report.breached:
        say("nothing is out of bounds")
    for line in report.left_out.said():
        say(line)
    for reason in report.unmade:
        say(f"not looked at: {reason}", "dim")
    for q in quarantined:
        say(f"under quarantine: {timestamp(q.start)} to {timestamp(q.end)}, {q.why}")


def as_text(report: HealthReport) -> str:
    return captured(lambda console: show(report, (), console))


def rows(report: HealthReport) -> list[dict[str, str]]:
    """One row a check, by its worst figure; of checks with several the number that is out of bounds."""
    by_name: dict[str, list[Check]] = {}
    for check in report.checks:
        by_name.setdefault(check.name, []).append(check)
    return [_row(name, checks) for name, checks in by_name.items()]


def _row(name: str, checks: Sequence[Check]) -> dict[str, str]:
    worst = max(checks, key=_badness)
    return {
        "check": name,
        "looked at": f"{len(checks):,}",
        "out of bounds": f"{sum(check.breached for check in checks):,}",
        "worst": worst.subject,
        "value": f"{worst.value:.3g}",
        "bound": f"{'at least' if name in ('entropy', 'starved') else 'at most'} {worst.threshold:g}",
    }


def _badness(check: Check) -> tuple[bool, float]:
    share = check.value / check.threshold if check.threshold else check.value
    return check.breached, -share if check.name in ("entropy", "starved") else share
