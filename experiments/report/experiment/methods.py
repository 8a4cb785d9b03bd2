"""How the primary metric is tested: one function a declared method, from the order of maturity alone.

A look is a prefix of the cohort, so nothing of earlier looks has to be remembered: whoever asks on whichever
day gets the same answer for the same customers.

    always-valid       all mature customers; an interval that holds at every look at once
    group-sequential   looks at k·customers/looks mature customers; the first that crosses its bound decides
    fixed              the first `customers` mature ones, and nothing before they are in
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from experiments.ab import Difference, Look, always_valid, at_look, evenly
from experiments.ab.fixed import compare_once
from experiments.report.experiment.arms import Found, arms_of, is_adjusted, measured
from experiments.report.experiment.cohort import Cohort
from nba.errors import NotEnoughData


@dataclass(frozen=True, slots=True, kw_only=True)
class LookTaken:
    """One planned look, at so many customers; `crossed` where |z| reached the bound."""

    look: int
    customers: int
    z: float
    bound: float
    crossed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A variant against control on one metric.

    Attributes:
        absolute: in the metric's unit; relative: as a share of control's mean; or why not.
        customers: over all variants, on which it rests.
        shown: whether there is a difference, by the method's own rule.
        final: no later look can change it.
        adjusted: whether it takes into account what customers had done before (CUPED).
        looks: those taken so far, of a group-sequential plan.
    """

    absolute: Found
    relative: Found
    customers: int
    shown: bool
    final: bool
    adjusted: bool
    looks: tuple[LookTaken, ...] = ()


def always(cohort: Cohort, metric: str, variant: int, alpha: float) -> Tested:
    """All who are mature."""
    until = cohort.mature
    ended = cohort.as_of >= cohort.experiment.exposes_until + cohort.ripening
    try:
        control, other = arms_of(cohort, metric, variant, until)
    except NotEnoughData as error:
        return untested(error, until, ended)
    tuning = cohort.experiment.analysis.tuning
    absolute, relative = measured(lambda r: always_valid(control, other, tuning, r, 1 - alpha), control)
    return Tested(
        absolute=absolute,
        relative=relative,
        customers=until,
        shown=excludes_zero(absolute),
        final=ended,
        adjusted=is_adjusted(control),
    )


def fixed(cohort: Cohort, metric: str, variant: int, alpha: float) -> Tested:
    """The first `customers`, when they are in."""
    planned = planned_customers(cohort)
    if cohort.mature < planned:
        figures = {"mature": float(cohort.mature), "planned": float(planned)}
        return untested(NotEnoughData("a fixed analysis is looked at once", figures), cohort.mature)
    try:
        control, other = arms_of(cohort, metric, variant, planned, least=2)
    except NotEnoughData as error:
        return untested(error, planned, final=True)
    absolute, relative = measured(lambda r: compare_once(control, other, r, 1 - alpha), control)
    return Tested(
        absolute=absolute,
        relative=relative,
        customers=planned,
        shown=excludes_zero(absolute),
        final=True,
        adjusted=is_adjusted(control),
    )


def group_sequential(cohort: Cohort, metric: str, variant: int, alpha: float) -> Tested:
    """The looks that are due, until one crosses; one at which the data carry no figure stops nothing."""
    cuts = planned_looks(cohort)
    figures = {"mature": float(cohort.mature), "customers at the first look": float(cuts[0])}
    tested = untested(NotEnoughData("the first planned look is not due", figures), cohort.mature)
    taken: list[LookTaken] = []
    for look, until in enumerate(cuts, start=1):
        if until > cohort.mature:
            break
        try:
            found = _look(cohort, metric, variant, alpha, look, until)
        except NotEnoughData as error:
            tested = untested(error, until, look == len(cuts))
            continue
        taken.append(
            LookTaken(look=look, customers=until, z=found.z, bound=found.bound, crossed=found.crossed)
        )
        if found.crossed:
            break
    return _stands(cohort, metric, variant, alpha, taken) if taken else tested


def _look(
    cohort: Cohort, metric: str, variant: int, alpha: float, look: int, until: int, relative: bool = False
) -> Look:
    plan = cohort.experiment.analysis
    control, other = arms_of(cohort, metric, variant, until)
    return at_look(control, other, look, plan.looks, alpha, plan.exponent, relative)


def _stands(cohort: Cohort, metric: str, variant: int, alpha: float, taken: list[LookTaken]) -> Tested:
    """The figures of the last look taken."""
    last = taken[-1]
    control, _ = arms_of(cohort, metric, variant, last.customers)

    def test(relative: bool) -> Difference:
        return _look(cohort, metric, variant, alpha, last.look, last.customers, relative).difference

    absolute, relative = measured(test, control)
    return Tested(
        absolute=absolute,
        relative=relative,
        customers=last.customers,
        shown=last.crossed,
        final=last.crossed or last.look == cohort.experiment.analysis.looks,
        adjusted=is_adjusted(control),
        looks=tuple(taken),
    )


def excludes_zero(found: Found) -> bool:
    return isinstance(found, Difference) and not found.low <= 0 <= found.high


def planned_customers(cohort: Cohort) -> int:
    """Over all variants; the playbook makes sure that a planned method says how many."""
    planned = cohort.experiment.analysis.customers
    if planned is None:
        raise AssertionError("always-valid has no plan")
    return planned


def planned_looks(cohort: Cohort) -> list[int]:
    """At how many mature customers each look is due."""
    return evenly(planned_customers(cohort), cohort.experiment.analysis.looks)


def untested(why: NotEnoughData, customers: int, final: bool = False) -> Tested:
    return Tested(absolute=why, relative=why, customers=customers, shown=False, final=final, adjusted=False)


METHODS: dict[str, Callable[[Cohort, str, int, float], Tested]] = {
    "always-valid": always,
    "group-sequential": group_sequential,
    "fixed": fixed,
}
