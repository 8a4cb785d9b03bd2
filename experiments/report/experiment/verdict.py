"""What to do now, in plain words: ship, stop for harm, keep running, believe nothing, or wait for a start."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from experiments.ab import Difference
from experiments.report.experiment.analysis import Analysed
from experiments.report.experiment.compared import Comparison
from experiments.report.experiment.remaining import remaining
from experiments.report.experiment.state import state_of
from experiments.report.words import amount, p_value, percent, span
from nba.errors import NotEnoughData
from nba.model import timestamp

Call = Literal["not started", "broken split", "stop for harm", "ship", "keep running", "no difference shown"]
_ORDER: tuple[Call, ...] = ("ship", "keep running", "stop for harm", "no difference shown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`call` of the whole experiment, with a sentence that says why; and variant → call, sentence."""

    call: Call
    why: str
    variants: Mapping[str, tuple[Call, str]]


def verdict(found: Analysed, unit: str = "") -> Verdict:
    """The split first: where it is broken nothing else counts. Then each variant against control.

    Of the variants' calls the first of `ship`, `keep running`, `stop for harm`, `no difference shown` is the
    experiment's: as long as one variant is worth running, the experiment runs, without those that harm.

    Args:
        unit: of the primary metric, to print behind its figures.
    """
    cohort = found.cohort
    if not len(cohort):
        return Verdict(call="not started", why=_nobody(found), variants={})
    if found.broken:
        return Verdict(call="broken split", why=_broken(found), variants={})
    each = {c.variant: _of_variant(found, c, unit) for c in found.primary}
    call = next(call for call in _ORDER if call in [one for one, _ in each.values()])
    ranked = [name for name, (one, _) in each.items() if one == call]
    best = max(ranked, key=lambda name: _gain(found, name))
    return Verdict(call=call, why=each[best][1], variants=each)


def _nobody(found: Analysed) -> str:
    cohort, experiment = found.cohort, found.cohort.experiment
    state = state_of(experiment, cohort.as_of)
    if state == "not started":
        return f"starts at {timestamp(experiment.exposes_from)}, after {timestamp(cohort.as_of)}"
    if state == "washout":
        return f"in its washout: nobody is exposed before {timestamp(experiment.exposes_from)}"
    held = f"; {cohort.held:,} customers had decisions that were held and never shown" if cohort.held else ""
    until = f"before {timestamp(cohort.as_of)}"
    if cohort.latest is None:
        return f"nobody was exposed {until}: the store has no decisions in its time{held}"
    return f"nobody was exposed {until}: no decision in its time that was shown names it{held}"


def _broken(found: Analysed) -> str:
    weights = sum(v.weight for v in found.variants)
    total = sum(v.exposed for v in found.variants)
    counts = ", ".join(
        f"{v.variant} has {v.exposed:,} customers instead of {total * v.weight / weights:,.0f}"
        for v in found.variants
    )
    return (
        f"customers did not fall on the variants as the weights say ({p_value(found.split)}): {counts}. "
        "Believe nothing else here, and find out who is missing; decisions that are held and activated only "
        "when they are contacts would do this"
    )


def _of_variant(found: Analysed, comparison: Comparison, unit: str) -> tuple[Call, str]:
    harmed = [g for g in found.guards if g.broken and g.variant == comparison.variant]
    if harmed:
        worst = "; ".join(
            f"{g.metric} is worse than control's by more than {percent(g.harm)}" for g in harmed
        )
        return "stop for harm", f"{comparison.variant}: {worst}"
    said = _said(comparison, unit, found)
    match comparison.word:
        case "better":
            return "ship", said
        case "worse":
            return "stop for harm", said
    if comparison.tested.final:
        return "no difference shown", f"{said}; the plan has come to its end"
    if found.cohort.as_of >= found.cohort.experiment.exposes_until and _all_mature(found):
        return "no difference shown", f"{said}; the experiment has ended, and all its customers are mature"
    return "keep running", f"{said}; {_longer(found, comparison)}"


def _all_mature(found: Analysed) -> bool:
    return found.cohort.mature == len(found.cohort)


def _said(comparison: Comparison, unit: str, found: Analysed) -> str:
    """`bold: net is 0.31 EUR higher per customer than control's, 95 % interval 0.10 to 0.52 (p = 0.004)`."""
    control, name, tested = found.cohort.names[0], comparison.metric, comparison.tested
    if isinstance(tested.absolute, NotEnoughData):
        return f"{comparison.variant}: nothing can be said of {name} yet: {tested.absolute.detail}"
    size, way = amount(abs(tested.absolute.value), tested.absolute.stderr), _way(tested.absolute)
    share = tested.relative
    relative = "" if isinstance(share, NotEnoughData) else f", {percent(abs(share.value))}"
    p = "" if isinstance(comparison.p_value, NotEnoughData) else f" ({p_value(comparison.p_value)})"
    shown = "" if tested.shown else ", which shows no difference"
    return (
        f"{comparison.variant}: {name} is {size}{unit} {way} than {control}'s{relative}, "
        f"{100 * comparison.level:g} % interval {span(tested.absolute)}{p}{shown}"
    )


def _way(found: Difference) -> str:
    return "higher" if found.value >= 0 else "lower"


def _longer(found: Analysed, comparison: Comparison) -> str:
    left = remaining(found.cohort, comparison)
    if isinstance(left, NotEnoughData):
        return left.detail
    planned = found.cohort.experiment.analysis.method != "always-valid"
    customers = f"{left.customers:,} more mature customers"
    need = f"the plan needs {customers}" if planned else f"at this size it would take about {customers}"
    if isinstance(left.days, NotEnoughData):
        return f"{need}; {left.days.detail}"
    if math.isinf(left.days):
        return f"{need}, and nobody new comes in: as it stands this will not be decided"
    return f"{need}, about {max(math.ceil(left.days), 0):,} days"


def _gain(found: Analysed, variant: str) -> float:
    """By how much a variant's primary metric is better than control's; what is not known comes last."""
    comparison = next(c for c in found.primary if c.variant == variant)
    absolute = comparison.tested.absolute
    if isinstance(absolute, NotEnoughData):
        return -math.inf
    more = found.cohort.experiment.metrics[comparison.metric].better == "more"
    return absolute.value if more else -absolute.value
