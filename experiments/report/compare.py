"""Groups compared at customer level: what a customer earned net of the contacts, and by how much they differ.

    y = Σ worth(o) over the customer's outcomes o from entry (or `since`, if later) until as_of
        − Σ cost of the contacts in that time

The customer is the unit, as they are what was assigned. Where customers were known before they entered, y is
adjusted for what they had earned by then (CUPED). Words, tables and tracking are elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from experiments.ab import Difference, Moments, difference
from experiments.report.customers import GROUPS, Cohort, Uncounted
from experiments.report.split import Split, check_split
from nba.chance import Group
from nba.errors import NotEnoughData
from nba.playbook.compile import Playbook

PAIRS: tuple[tuple[Group, Group], ...] = (
    ("treatment", "holdout"),
    ("treatment", "random_eligible"),
    ("random_eligible", "holdout"),
)
LEAST_ADJUSTED = 50
"""Customers a group below which y is left as it is: the slope of CUPED is estimated too, at O(1/n) bias."""
LEAST_BASE = 4.0
"""Standard errors that control's mean must be from 0 for a share of it to mean anything (Fieller 1954)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """One group. `earned` and `cost` are sums over its customers; `net` are the moments of y."""

    customers: int
    decisions: int
    contacts: int
    earned: float
    cost: float
    net: Moments


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Treatment minus control per customer, in currency and as a share of control's mean, or why not.

    Attributes:
        adjusted: whether it takes into account what customers had earned before they entered.
    """

    treatment: Group
    control: Group
    absolute: Difference | NotEnoughData
    relative: Difference | NotEnoughData
    adjusted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that is reported; `since` and `as_of` in epoch seconds, `window` (of rewards) in seconds."""

    playbook: str
    currency: str
    since: float
    as_of: float
    window: float
    level: float
    groups: Mapping[Group, GroupFigures]
    comparisons: tuple[Comparison, ...]
    split: Split
    moved: int
    recent: int
    uncounted: Uncounted


def ab_report(cohort: Cohort, playbook: Playbook, level: float = 0.95) -> Report:
    """Compare the groups of a cohort.

    Raises:
        InvalidInput: level.
    """
    groups = {group: _figures(cohort.of(group)) for group in GROUPS}
    return Report(
        playbook=playbook.version,
        currency=playbook.spec.currency,
        since=cohort.since,
        as_of=cohort.as_of,
        window=playbook.spec.objectives.window,
        level=level,
        groups=groups,
        comparisons=tuple(_comparison(groups, *pair, level) for pair in PAIRS),
        split=check_split({str(g): f.customers for g, f in groups.items()}, cohort.expected),
        moved=cohort.moved,
        recent=cohort.recent,
        uncounted=cohort.uncounted,
    )


def _figures(customers: pl.DataFrame) -> GroupFigures:
    net = (customers["earned"] - customers["cost"]).to_numpy()
    return GroupFigures(
        customers=customers.height,
        decisions=int(customers["decisions"].sum()),
        contacts=int(customers["contacts"].sum()),
        earned=float(customers["earned"].sum()),
        cost=float(customers["cost"].sum()),
        net=Moments.of(net, before=customers["before"].to_numpy()),
    )


def _comparison(
    groups: Mapping[Group, GroupFigures], treatment: Group, control: Group, level: float
) -> Comparison:
    arms = groups[control].net, groups[treatment].net
    adjusted = min(arm.n for arm in arms) >= LEAST_ADJUSTED and (arms[0] + arms[1]).before_variance > 0
    base, other = arms if adjusted else (_plain(arms[0]), _plain(arms[1]))
    return Comparison(
        treatment=treatment,
        control=control,
        absolute=_difference(base, other, relative=False, level=level),
        relative=_difference(base, other, relative=True, level=level),
        adjusted=adjusted,
    )


def _difference(
    control: Moments, treatment: Moments, *, relative: bool, level: float
) -> Difference | NotEnoughData:
    try:
        found = difference(control, treatment, relative=relative, level=level)
    except NotEnoughData as error:
        return error
    stderr = math.sqrt(control.variance / control.n)
    if relative and abs(control.mean) < LEAST_BASE * stderr:
        figures = {"mean": control.mean, "its standard error": stderr}
        return NotEnoughData("control's mean is too uncertain for a share of it", figures)
    return found


def _plain(arm: Moments) -> Moments:
    return Moments(n=arm.n, total=arm.total, squares=arm.squares)
