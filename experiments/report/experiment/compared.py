"""Each variant against control: the primary metric decides, the other metrics share α by correction.

Where several variants are held against control, each gets α/(variants − 1) on the primary metric. The other
metrics of all variants are corrected together. They are tested always valid, whatever the method, since the
moment at which one stops hangs on the primary; under `fixed` they are looked at once, together with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from experiments.ab import Difference, adjusted, level_for
from experiments.report.experiment.arms import Found
from experiments.report.experiment.cohort import Cohort
from experiments.report.experiment.methods import METHODS, Tested, always, fixed
from nba.errors import NotEnoughData

Word = Literal["better", "worse", "no difference", "not enough data"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A variant against control on one metric.

    Attributes:
        level: of the intervals; above 1 − α where several share it.
        p_value: corrected for what shares α with it.
        word: by the method's own rule for the primary metric, by the corrected p value for the others.
    """

    metric: str
    variant: str
    primary: bool
    tested: Tested
    level: float
    p_value: float | NotEnoughData
    word: Word


def primary_metric(cohort: Cohort) -> str:
    return next(iter(cohort.experiment.metrics))


def treatments(cohort: Cohort) -> range:
    """The places of the variants that are held against control."""
    return range(1, len(cohort.names))


def compare_primary(cohort: Cohort) -> tuple[Comparison, ...]:
    """One a variant, by the declared method."""
    plan, metric, shared = cohort.experiment.analysis, primary_metric(cohort), len(cohort.names) - 1
    found = []
    for variant in treatments(cohort):
        tested = METHODS[plan.method](cohort, metric, variant, plan.alpha / shared)
        found.append(
            Comparison(
                metric=metric,
                variant=cohort.names[variant],
                primary=True,
                tested=tested,
                level=1 - plan.alpha / shared,
                p_value=_shared(tested.absolute, shared),
                word=word_of(cohort, metric, tested.absolute, tested.shown),
            )
        )
    return tuple(found)


def compare_others(cohort: Cohort) -> tuple[Comparison, ...]:
    """One a further metric and variant, all corrected together: also for those that have no figure yet."""
    plan = cohort.experiment.analysis
    test = fixed if plan.method == "fixed" else always
    family = [(m, v) for m in list(cohort.experiment.metrics)[1:] for v in treatments(cohort)]
    tests = [test(cohort, metric, variant, plan.alpha) for metric, variant in family]
    raw = [1.0 if isinstance(t.absolute, NotEnoughData) else t.absolute.p_value for t in tests]
    level = level_for(raw, plan.correction, 1 - plan.alpha)
    return tuple(
        Comparison(
            metric=metric,
            variant=cohort.names[variant],
            primary=False,
            tested=_at(tested, level),
            level=level,
            p_value=tested.absolute if isinstance(tested.absolute, NotEnoughData) else p,
            word=word_of(cohort, metric, tested.absolute, p <= plan.alpha),
        )
        for (metric, variant), tested, p in zip(
            family, tests, adjusted(raw, plan.correction).tolist(), strict=True
        )
    )


def word_of(cohort: Cohort, metric: str, found: Found, shown: bool) -> Word:
    """What a difference means for the business, which may want less of the metric."""
    if isinstance(found, NotEnoughData):
        return "not enough data"
    if not shown:
        return "no difference"
    more = cohort.experiment.metrics[metric].better == "more"
    return "better" if (found.value > 0) == more else "worse"


def _shared(found: Found, among: int) -> float | NotEnoughData:
    """Bonferroni's."""
    return found if isinstance(found, NotEnoughData) else min(among * found.p_value, 1.0)


def _at(tested: Tested, level: float) -> Tested:
    def widened(found: Found) -> Found:
        return found.at(level) if isinstance(found, Difference) else found

    return replace(tested, absolute=widened(tested.absolute), relative=widened(tested.relative))
