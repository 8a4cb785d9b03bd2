"""What an experiment has shown, in the reader's language: the report's values, in the console's own words.

`experiments.report.experiment` says the same in English for the terminal, and decides which call is made.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from markupsafe import Markup, escape

from experiments.ab import Difference
from experiments.ab.segments import Heterogeneity
from experiments.report.experiment.analysis import Analysed
from experiments.report.experiment.compared import Comparison
from experiments.report.experiment.remaining import remaining
from experiments.report.experiment.state import state_of
from nba.errors import NotEnoughData
from serving.console.words import Words

DAY = 86_400.0
METHODS = {"always-valid": "always valid", "group-sequential": "group-sequential", "fixed": "fixed"}
READING = {
    "always-valid": "The first metric (*) decides. All figures may be looked at any time.",
    "group-sequential": (
        "The first metric (*) decides. It is looked at as planned, and its figures are those of the last "
        "look that was due; the other metrics may be looked at any time."
    ),
    "fixed": (
        "The first metric (*) decides. A fixed analysis is looked at once; before that the means only "
        "describe."
    ),
}


def why(found: Analysed, words: Words, unit: str) -> list[Markup]:
    """The reasons of the verdict, a line a variant."""
    if not len(found.cohort):
        return [escape(_nobody(found, words))]
    if found.broken:
        return [escape(_broken(found, words))]
    return [_of_variant(found, one, words, unit) for one in found.primary]


def _nobody(found: Analysed, words: Words) -> str:
    experiment, as_of = found.cohort.experiment, found.cohort.as_of
    state = state_of(experiment, as_of)
    if state == "not started":
        return words("It starts at {moment}.", moment=words.moment(experiment.exposes_from))
    if state == "washout":
        moment = words.moment(experiment.exposes_from)
        return words("It is in its washout: nobody is exposed before {moment}.", moment=moment)
    return words("No decision that was shown names it yet, so nobody is exposed.")


def _broken(found: Analysed, words: Words) -> str:
    weights, total = sum(v.weight for v in found.variants), sum(v.exposed for v in found.variants)
    counts = "; ".join(
        words(
            "{variant} has {count} customers instead of {due}",
            variant=v.variant,
            count=words.number(v.exposed),
            due=words.number(total * v.weight / weights),
        )
        for v in found.variants
    )
    said = words(
        "Customers did not fall on the variants as the weights say ({p}).", p=words.p_value(found.split)
    )
    mend = words(
        "Believe nothing else here, and find out who is missing: decisions that are held and activated only "
        "when they are contacts would do this."
    )
    return f"{said} {counts}. {mend}"


def _of_variant(found: Analysed, one: Comparison, words: Words, unit: str) -> Markup:
    harmed = [guard for guard in found.guards if guard.broken and guard.variant == one.variant]
    if harmed:
        return escape(
            " ".join(
                words(
                    "{variant}: {metric} is worse than control's by more than {share}.",
                    variant=one.variant,
                    metric=guard.metric,
                    share=words.percent(guard.harm),
                )
                for guard in harmed
            )
        )
    absolute = one.tested.absolute
    if isinstance(absolute, NotEnoughData):
        said = words(
            "{variant}: nothing can be said of {metric} yet:", variant=one.variant, metric=one.metric
        )
        return escape(said) + " " + words.told(absolute.detail)
    return escape(_said(found, one, absolute, words, unit)) + " " + _next(found, one, words)


def _said(found: Analysed, one: Comparison, absolute: Difference, words: Words, unit: str) -> str:
    names = {
        "variant": one.variant,
        "metric": one.metric,
        "size": words.number(abs(absolute.value), decimals(absolute)) + unit,
        "control": found.cohort.names[0],
        "level": level_said(one.level, words),
        "interval": span(absolute, words),
    }
    said = (
        words("{variant}: {metric} is {size} higher than {control}'s, {level} interval {interval}.", **names)
        if absolute.value >= 0
        else words(
            "{variant}: {metric} is {size} lower than {control}'s, {level} interval {interval}.", **names
        )
    )
    return said if one.tested.shown else f"{said} {words('That shows no difference.')}"


def _next(found: Analysed, one: Comparison, words: Words) -> Markup:
    """What is to come, where that is not settled."""
    cohort = found.cohort
    if one.word in ("better", "worse"):
        return Markup("")
    if one.tested.final:
        return escape(words("The plan has come to its end."))
    if cohort.as_of >= cohort.experiment.exposes_until and cohort.mature == len(cohort):
        return escape(words("The experiment has ended, and all its customers are mature."))
    left = remaining(cohort, one)
    if isinstance(left, NotEnoughData):
        return words.told(left.detail).join(["", "."])
    count = words.number(left.customers)
    planned = cohort.experiment.analysis.method != "always-valid"
    need = (
        words("The plan needs {count} more mature customers.", count=count)
        if planned
        else words("At this size it would take about {count} more mature customers.", count=count)
    )
    if isinstance(left.days, NotEnoughData):
        return escape(need) + " " + words.told(left.days.detail) + "."
    if math.isinf(left.days):
        return escape(f"{need} {words('Nobody new comes in: as it stands this will not be decided.')}")
    days = words("That is about {count} days.", count=words.number(max(math.ceil(left.days), 0)))
    return escape(f"{need} {days}")


def warnings(found: Analysed, words: Words) -> list[str]:
    """What speaks against believing the figures, worst first."""
    cohort, said = found.cohort, []
    if cohort.reweighted:
        said.append(
            words(
                "{count} customers entered under other weights than today's: what changed over time "
                "then looks like an effect. Stop, and start anew under another name and salt.",
                count=words.number(cohort.reweighted),
            )
        )
    if cohort.switched:
        said.append(
            words(
                "{count} customers saw more than one variant, as salt, weights or variants changed. They "
                "count in the first, which makes differences look smaller.",
                count=words.number(cohort.switched),
            )
        )
    if cohort.gone:
        said.append(
            words(
                "{count} customers entered in a variant that is no longer declared; they are left out.",
                count=words.number(cohort.gone),
            )
        )
    uneven = [
        f"{m} ({v})"
        for (m, v), b in found.balance.items()
        if not isinstance(b, NotEnoughData) and b.word == "uneven"
    ]
    if uneven:
        said.append(
            words(
                "The variants differed before the first exposure, more than chance explains: {metrics}.",
                metrics=", ".join(uneven),
            )
        )
    return said


def notes(found: Analysed, words: Words) -> list[Markup]:
    """How to read the figures."""
    return list(_notes(found, words)) if len(found.cohort) else []


def _notes(found: Analysed, words: Words) -> Iterator[Markup]:
    cohort = found.cohort
    yield escape(words(READING[cohort.experiment.analysis.method]))
    if not found.broken:
        yield escape(
            words("Customers fell on the variants as the weights say ({p}).", p=words.p_value(found.split))
        )
    waiting = len(cohort) - cohort.mature
    if waiting:
        yield escape(
            words(
                "{count} customers are not mature: their {days} days are not over, so they do not count.",
                count=words.number(waiting),
                days=words.number(cohort.ripening / DAY),
            )
        )
    if cohort.held:
        yield escape(
            words(
                "{count} customers had only decisions that were held and never shown: not exposed.",
                count=words.number(cohort.held),
            )
        )
    adjusted = [f"{c.metric} ({c.variant})" for c in found.comparisons if c.tested.adjusted]
    if adjusted:
        yield escape(
            words(
                "Adjusted for what customers had done before (CUPED): {metrics}.", metrics=", ".join(adjusted)
            )
        )
    for one in found.comparisons:
        if not one.primary and isinstance(one.tested.absolute, NotEnoughData):
            yield escape(f"{one.metric} ({one.variant}): ") + words.told(one.tested.absolute.detail)
    for variant, parts in found.segments.items():
        yield _segments(found, variant, parts, words)


def _segments(found: Analysed, variant: str, parts: Heterogeneity | NotEnoughData, words: Words) -> Markup:
    if isinstance(parts, NotEnoughData):
        return (
            escape(words("Segments of {variant}: not enough data:", variant=variant))
            + " "
            + words.told(parts.detail)
        )
    names = {"variant": variant, "p": words.p_value(parts.p_value)}
    return escape(
        words("Segments of {variant}: their effects differ ({p} of one effect for all).", **names)
        if parts.p_value < found.cohort.experiment.analysis.alpha
        else words(
            "Segments of {variant}: their effects do not surely differ ({p} of one effect for all).", **names
        )
    )


def decimals(found: Difference) -> int:
    """To two digits of the standard error, and to cents at least."""
    return 2 if found.stderr <= 0 else min(max(2, 1 - math.floor(math.log10(found.stderr))), 9)


def span(found: Difference, words: Words) -> str:
    digits = decimals(found)
    return words(
        "{low} to {high}", low=words.number(found.low, digits), high=words.number(found.high, digits)
    )


def level_said(level: float, words: Words) -> str:
    return words.percent(level, 0 if abs(100 * level - round(100 * level)) < 1e-9 else 2)
