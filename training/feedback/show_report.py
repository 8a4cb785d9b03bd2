"""A feedback report for a person: scores, what sets the unhappy apart, themes. No text is shown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from experiments.report.feedback.drivers import Driver, Drivers
from experiments.report.feedback.report import NO_CAUSE, FeedbackReport, Surveyed
from experiments.report.feedback.score import Score
from experiments.report.feedback.themes import Theme
from experiments.report.tables import table
from nba.errors import NotEnoughData

MOST = 12  # drivers shown; --json has all


def show(report: FeedbackReport, console: Console) -> None:
    """Print it."""

    def say(line: str, style: str | None = None) -> None:
        console.print(Text(line), style=style, soft_wrap=True)

    for surveyed in report.surveys:
        console.print(table(list(_rows(surveyed, report.level))))
    _show_drivers(report, console)
    if report.texts.themes or report.texts.total is not None:
        console.print(table(_themes(report)))
    for note in report.notes:
        say(f"note: {note}", "dim")


def _rows(surveyed: Surveyed, level: float) -> Iterator[dict[str, str]]:
    name = surveyed.survey.upper()
    yield _row(name, level, "all", surveyed.total)
    for split, parts in surveyed.by.items():
        for part in parts:
            yield _row(name, level, f"{split}: {part.name}", part.score)


def _row(survey: str, level: float, name: str, found: Score | NotEnoughData) -> dict[str, str]:
    heads = ("answers", "customers", "unhappy", "happy")
    interval = f"{100 * level:g} % interval"
    if isinstance(found, NotEnoughData):
        few = f"{found.figures['customers']:.0f}"
        return {
            survey: escape(name),
            "score": "too few",
            interval: "",
            heads[0]: "",
            heads[1]: few,
        } | dict.fromkeys(heads[2:], "")
    digits = 0 if survey == "NPS" else 2
    cells = (f"{found.answers:,}", f"{found.customers:,}", f"{found.unhappy:.1%}", f"{found.happy:.1%}")
    return {
        survey: escape(name),
        "score": f"{found.value:.{digits}f}",
        interval: f"{found.low:.{digits}f} to {found.high:.{digits}f}",
    } | dict(zip(heads, cells, strict=True))


def _show_drivers(report: FeedbackReport, console: Console) -> None:
    found = report.drivers
    if found is None:
        return
    if isinstance(found, NotEnoughData):
        console.print(Text(f"drivers of {report.driven}: {found.detail}"), soft_wrap=True)
        return
    shown = _shown(found)
    if shown:
        console.print(table([_driver(d, found) for d in shown]))
    for driver in found.standing_out[:MOST]:
        console.print(Text(sentence(driver)), soft_wrap=True)
    said = NO_CAUSE.format(count=len(found.found), standing=len(found.standing_out), level=100 * found.level)
    console.print(Text(said), soft_wrap=True)


def _shown(found: Drivers) -> Sequence[Driver]:
    """Those that stand out first, each kind by size."""
    out = {d.name for d in found.standing_out}
    return sorted(found.found, key=lambda d: d.name not in out)[:MOST]


def _driver(driver: Driver, found: Drivers) -> dict[str, str]:
    return {
        "what the unhappy have more of (+) or less (-)": escape(driver.name),
        "unhappy": _amount(driver, driver.unhappy),
        "others": _amount(driver, driver.others),
        "effect": f"{driver.delta:+.2f} {driver.size}",
        "interval, jointly": f"{driver.low:+.2f} to {driver.high:+.2f}",
        "stands out": "yes" if driver.adjusted <= 1 - found.level else "no",
        "customers": f"{driver.customers:,}",
    }


def sentence(driver: Driver) -> str:
    """`complaint of late: 1.2 in the middle of the unhappy, 0 of the others; a large effect (+0.61)`."""
    one, other = _amount(driver, driver.unhappy), _amount(driver, driver.others)
    effect = f"a {driver.size} effect ({driver.delta:+.2f}, {driver.low:+.2f} to {driver.high:+.2f})"
    if driver.yes_or_no:
        return f"{driver.name}: so for {one} of the unhappy and {other} of the others; {effect}"
    way = "more" if driver.delta > 0 else "less"
    return f"{driver.name}: the unhappy have {way}, {one} against {other} in the middle; {effect}"


def _amount(driver: Driver, value: float) -> str:
    if driver.yes_or_no:
        return f"{value:.1%}"
    return "never" if math.isinf(value) else f"{value:.3g}"


def _themes(report: FeedbackReport) -> list[dict[str, str]]:
    total = report.texts.total
    themes = [*report.texts.themes, *([] if total is None else [total])]
    return [_theme(theme, report) for theme in themes]


def _theme(theme: Theme, report: FeedbackReport) -> dict[str, str]:
    found = theme.sentiment
    sentiment, interval = "too few", ""
    if not isinstance(found, NotEnoughData):
        sentiment, interval = f"{found.value:+.2f}", f"{found.low:+.2f} to {found.high:+.2f}"
    mean = "" if theme.answered is None else f"{theme.answered:.2f} ({theme.answers:,})"
    return {
        "texts about": "all read" if theme.name is None else escape(theme.name),
        "texts": f"{theme.texts:,}",
        "customers": f"{theme.customers:,}",
        "negative": f"{theme.negative:.1%}",
        "sentiment, -1 to 1": sentiment,
        f"{100 * report.level:g} % interval": interval,
        f"mean {report.driven or 'answer'} nearby": mean,
    }
