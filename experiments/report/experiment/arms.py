"""Two arms made ready for a test: enough customers, figures from before where they tell something."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from experiments.ab import Arm, Difference, Moments, Ratio
from experiments.report.compare import LEAST_ADJUSTED, LEAST_BASE
from experiments.report.experiment.cohort import Bools, Cohort
from nba.errors import NotEnoughData

LEAST = 50
"""Mature customers an arm below which nothing is claimed: bounds rest on the normal approximation."""

Found = Difference | NotEnoughData


def arms_of(
    cohort: Cohort,
    metric: str,
    variant: int,
    until: int,
    *,
    least: int = LEAST,
    among: Bools | None = None,
) -> tuple[Arm, Arm]:
    """Control's and the variant's sums over the first `until` customers.

    Raises:
        NotEnoughData: fewer than `least` customers in one of them, or a ratio with nothing to divide by.
    """
    control, other = cohort.arms(metric, variant, until, among)
    names = cohort.names[0], cohort.names[variant]
    if min(control.n, other.n) < least:
        figures = {f"{name} mature": float(arm.n) for name, arm in zip(names, (control, other), strict=True)}
        raise NotEnoughData(f"each variant needs {least} mature customers", figures)
    if min(control.n, other.n) >= LEAST_ADJUSTED and _varied_before(control, other):
        return control, other
    return plain(control), plain(other)


def is_adjusted(arm: Arm) -> bool:
    """Whether it carries figures from before (CUPED)."""
    return arm.before is not None if isinstance(arm, Moments) else len(arm.totals) == 4


def plain(arm: Arm) -> Arm:
    """Without figures from before."""
    if isinstance(arm, Moments):
        return Moments(n=arm.n, total=arm.total, squares=arm.squares)
    return Ratio(n=arm.n, totals=arm.totals[:2], products=tuple(row[:2] for row in arm.products[:2]))


def scaled(arm: Arm, factor: float) -> Arm:
    """With the metric times `factor`, and what was before as it is."""
    if isinstance(arm, Moments):
        cross = None if arm.cross is None else arm.cross * factor
        return replace(arm, total=arm.total * factor, squares=arm.squares * factor**2, cross=cross)
    scale = [factor] + [1.0] * (len(arm.totals) - 1)
    return Ratio(
        n=arm.n,
        totals=tuple(f * x for f, x in zip(scale, arm.totals, strict=True)),
        products=tuple(
            tuple(f * g * x for g, x in zip(scale, row, strict=True))
            for f, row in zip(scale, arm.products, strict=True)
        ),
    )


def mean_of(arm: Arm) -> float:
    """The metric's mean, or the ratio; needs a customer, and something to divide by."""
    return arm.mean if isinstance(arm, Moments) else arm.value


def stderr_of(arm: Arm) -> float:
    """Of `mean_of`, without regard to figures from before."""
    if isinstance(arm, Moments):
        return math.sqrt(max(arm.variance, 0.0) / arm.n)
    spread, ratio = arm.covariance[:2, :2], arm.value
    variance = spread[0, 0] - 2 * ratio * spread[0, 1] + ratio**2 * spread[1, 1]
    return math.sqrt(max(float(variance), 0.0) / arm.n) / abs(float(arm.means[1]))


def measured(test: Callable[[bool], Difference], control: Arm) -> tuple[Found, Found]:
    """A test's absolute figures and those relative to control's mean, each or why there are none."""
    try:
        absolute = test(False)
    except NotEnoughData as error:
        return error, error
    mean, stderr = mean_of(control), stderr_of(control)
    if mean == 0 or abs(mean) < LEAST_BASE * stderr:
        figures = {"mean": mean, "its standard error": stderr}
        return absolute, NotEnoughData("control's mean is too uncertain for a share of it", figures)
    try:
        return absolute, test(True)
    except NotEnoughData as error:
        return absolute, error


def _varied_before(control: Arm, other: Arm) -> bool:
    if isinstance(control, Moments) and isinstance(other, Moments):
        return (control + other).before_variance > 0
    if isinstance(control, Ratio) and isinstance(other, Ratio):
        return bool((control + other).covariance[2:, 2:].any())
    return False
