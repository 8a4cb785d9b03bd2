"""The A/B report in plain words: one conclusion a comparison, and what to mind before believing it."""

from __future__ import annotations

import math

from experiments.ab import Difference
from experiments.report.compare import Comparison, Report
from experiments.report.customers import FEW_LATER
from experiments.report.split import SUSPICIOUS, Split
from nba.errors import NotEnoughData
from nba.model import timestamp

DAY = 86_400.0
NAMES = {"treatment": "treatment", "random_eligible": "random-eligible", "holdout": "holdout"}


def pair_name(comparison: Comparison) -> str:
    return f"{NAMES[comparison.treatment]} - {NAMES[comparison.control]}"


def conclusion(comparison: Comparison, currency: str, level: float) -> str:
    """`treatment earned 1.31 EUR more per customer than holdout, 95 % interval 0.40 to 2.20 …`."""
    treatment, control = NAMES[comparison.treatment], NAMES[comparison.control]
    found = comparison.absolute
    if isinstance(found, NotEnoughData):
        return f"{treatment} against {control}: not enough data: {found.detail}"
    size = f"{amount(abs(found.value), found.stderr)} {currency}"
    way = "more" if found.value >= 0 else "less"
    said = (
        f"{treatment} earned {size} {way} per customer than {control}, "
        f"{100 * level:g} % interval {span(found)} ({p_value(found.p_value)})"
    )
    if found.low <= 0 <= found.high:
        return f"{said}: the interval includes 0, so no difference is shown"
    if isinstance(comparison.relative, NotEnoughData):
        return said
    return f"{said}; that is {percent(abs(comparison.relative.value))} {way}"


def warnings(report: Report) -> list[str]:
    """What speaks against believing the comparisons, worst first."""
    said = split_warning(report.split)
    if _early(report):
        said.append(f"too early for a verdict: {_open(report)}; so far the differences are mostly costs")
    if report.moved:
        said.append(
            f"{report.moved:,} customers were moved to another group when the shares changed; they count in "
            "the group they entered, which makes differences look smaller"
        )
    return said


def split_warning(split: Split) -> list[str]:
    """Empty for a sound split."""
    if isinstance(split.p_value, NotEnoughData):
        return [f"the split can't be checked: {split.p_value.detail}"]
    if not split.suspicious:
        return []
    counts = ", ".join(
        f"{NAMES.get(name, name)} has {count:,} customers instead of {split.expected[name]:,.0f}"
        for name, count in split.observed.items()
    )
    return [
        f"the groups are not as large as their shares say ({p_value(split.p_value)}, below {SUSPICIOUS}): "
        f"{counts}. Find out who is missing before believing any difference; decisions held and "
        "activated only when they are contacts would do this"
    ]


def notes(report: Report) -> list[str]:
    """How to read the figures."""
    said = ["an interval holds for one look, on a date chosen beforehand"]
    p = report.split.p_value
    if not isinstance(p, NotEnoughData) and not report.split.suspicious:
        said.append(f"the groups are as large as their shares say ({p_value(p)})")
    adjusted = [pair_name(c) for c in report.comparisons if c.adjusted]
    if adjusted:
        said.append(f"adjusted for what customers had earned before they entered: {', '.join(adjusted)}")
    if report.recent and not _early(report):
        said.append(_open(report))
    if report.uncounted.held:
        said.append(f"not counted: {report.uncounted.held:,} decisions that were held and never shown")
    if report.uncounted.later:
        more = " or more" if report.uncounted.later >= FEW_LATER else ""
        said.append(
            f"not counted: {report.uncounted.later:,}{more} decisions from {timestamp(report.as_of)} on; a "
            "later --as-of counts them"
        )
    return said


def _contacts(report: Report) -> int:
    return sum(group.contacts for group in report.groups.values())


def _early(report: Report) -> bool:
    """Whether most contacts may still bring something."""
    return 2 * report.recent > _contacts(report)


def _open(report: Report) -> str:
    return (
        f"{report.recent:,} of {_contacts(report):,} contacts are younger than the reward window of "
        f"{report.window / DAY:g} days: their cost is in, some of what they bring is still to come"
    )


def amount(value: float, stderr: float) -> str:
    """To two digits of its standard error, and to cents at least."""
    decimals = 2 if stderr <= 0 else min(max(2, 1 - math.floor(math.log10(stderr))), 9)
    return f"{value:,.{decimals}f}"


def span(found: Difference) -> str:
    return f"{amount(found.low, found.stderr)} to {amount(found.high, found.stderr)}"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def p_value(p: float) -> str:
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"
