"""Guardrails: is a variant worse than control by more than what is allowed?

For a harm of h, "worse than h of control's mean" is ȳ₁ − (1 ∓ h)·ȳ₀ on the wrong side of 0: a plain
difference once control's figures are scaled, so it needs no division by a mean that may be near 0. Always
valid, and not corrected for other guardrails: a false stop costs less than harm that goes on unseen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from experiments.ab import always_valid
from experiments.report.experiment.arms import Found, arms_of, mean_of, scaled
from experiments.report.experiment.cohort import Cohort
from experiments.report.experiment.compared import treatments
from nba.errors import NotEnoughData


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One guardrail of one variant.

    Attributes:
        harm: what is allowed, as a share of control's mean.
        beyond: the variant less the worst that is allowed, in the metric's unit, over all mature customers.
        broken: surely beyond it.
    """

    metric: str
    variant: str
    harm: float
    beyond: Found
    broken: bool


def guards(cohort: Cohort) -> tuple[Guard, ...]:
    """One for each metric that has `harm`, and each variant."""
    harms = {name: metric.harm for name, metric in cohort.experiment.metrics.items()}
    return tuple(
        _guard(cohort, metric, harm, variant)
        for metric, harm in harms.items()
        if harm is not None
        for variant in treatments(cohort)
    )


def _guard(cohort: Cohort, metric: str, harm: float, variant: int) -> Guard:
    more = cohort.experiment.metrics[metric].better == "more"
    beyond = _beyond(cohort, metric, harm, variant, -1 if more else 1)
    surely = not isinstance(beyond, NotEnoughData) and (beyond.high < 0 if more else beyond.low > 0)
    return Guard(metric=metric, variant=cohort.names[variant], harm=harm, beyond=beyond, broken=surely)


def _beyond(cohort: Cohort, metric: str, harm: float, variant: int, worse: int) -> Found:
    plan = cohort.experiment.analysis
    try:
        control, other = arms_of(cohort, metric, variant, cohort.mature)
        worst = scaled(control, 1 + worse * harm * math.copysign(1, mean_of(control)))
        return always_valid(worst, other, plan.tuning, level=1 - plan.alpha)
    except NotEnoughData as error:
        return error
