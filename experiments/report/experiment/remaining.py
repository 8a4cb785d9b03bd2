"""How much longer: the customers that are still needed, and the days until so many are mature.

Always valid, the present estimate and spread are taken as the truth, and the sums are imagined as so many
times what they are: a rough figure, which moves with the estimate. A plan says how many customers it needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from experiments.ab import Arm, Moments, Ratio, always_valid
from experiments.report.experiment.arms import arms_of
from experiments.report.experiment.cohort import Cohort
from experiments.report.experiment.compared import Comparison, primary_metric
from experiments.report.experiment.methods import excludes_zero, planned_customers
from nba.errors import NotEnoughData

DAY = 86_400.0
RECENT = 7 * DAY
"""Over which newcomers are counted; their number falls as the regular customers are all in."""
MOST = 1_000.0
"""Times the customers there are; beyond it nobody waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """Over all variants: `customers` more to mature, in `days`, or why that can't be said."""

    customers: int
    days: float | NotEnoughData


def remaining(cohort: Cohort, comparison: Comparison) -> Remaining | NotEnoughData:
    """Until the primary metric's comparison can be decided, or why that can't be said."""
    if cohort.experiment.analysis.method != "always-valid":
        more = max(planned_customers(cohort) - cohort.mature, 0)
        return Remaining(customers=more, days=_days(cohort, more))
    try:
        factor = _factor(cohort, comparison)
    except NotEnoughData as error:
        return error
    more = math.ceil((factor - 1) * cohort.mature)
    return Remaining(customers=more, days=_days(cohort, more))


def _factor(cohort: Cohort, comparison: Comparison) -> float:
    """How many times today's customers would show a difference of today's size."""
    variant = cohort.names.index(comparison.variant)
    control, other = arms_of(cohort, primary_metric(cohort), variant, cohort.mature)
    tuning = cohort.experiment.analysis.tuning

    def shows(factor: float) -> bool:
        times = _times(control, factor), _times(other, factor)
        return excludes_zero(always_valid(*times, tuning, level=comparison.level))

    if not shows(MOST):
        figures = {"mature": float(cohort.mature), "times as many would not do": MOST}
        raise NotEnoughData("the difference so far is too small to say how long it takes", figures)
    low, high = 1.0, MOST
    while high / low > 1.02:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if shows(middle) else (middle, high)
    return high


def _times(arm: Arm, factor: float) -> Arm:
    """The sums of so many times as many like customers."""
    n = round(arm.n * factor)
    exact = n / arm.n
    if isinstance(arm, Ratio):
        return Ratio(
            n=n,
            totals=tuple(x * exact for x in arm.totals),
            products=tuple(tuple(x * exact for x in row) for row in arm.products),
        )
    return _times_moments(arm, n, exact)


def _times_moments(arm: Moments, n: int, factor: float) -> Moments:
    if arm.before is None or arm.before_squares is None or arm.cross is None:
        return Moments(n=n, total=arm.total * factor, squares=arm.squares * factor)
    return replace(
        arm,
        n=n,
        total=arm.total * factor,
        squares=arm.squares * factor,
        before=arm.before * factor,
        before_squares=arm.before_squares * factor,
        cross=arm.cross * factor,
    )


def _days(cohort: Cohort, more: int) -> float | NotEnoughData:
    """Until `more` further customers are mature: those on their way first, then newcomers as of late."""
    waiting = cohort.entered_at[cohort.mature :]
    if more <= len(waiting):
        last = waiting[more - 1] + cohort.ripening if more else cohort.as_of
        return float(last - cohort.as_of) / DAY
    rate = _newcomers_a_day(cohort)
    missing = more - len(waiting)
    until = cohort.as_of + missing / rate * DAY if rate > 0 else math.inf
    if until > cohort.experiment.exposes_until:
        figures = {"newcomers a day": rate, "missing": float(missing)}
        return NotEnoughData("too few customers come before the experiment ends", figures)
    return (until + cohort.ripening - cohort.as_of) / DAY


def _newcomers_a_day(cohort: Cohort) -> float:
    since = max(cohort.as_of - RECENT, float(cohort.entered_at[0]) if len(cohort) else -math.inf)
    days = max((cohort.as_of - since) / DAY, 1.0)
    return float(np.count_nonzero(cohort.entered_at >= since)) / days
