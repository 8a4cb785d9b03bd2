"""All that a cohort shows: comparisons, guardrails, the split, what was before, and the segments.

Segments have a correction of their own, over the segments of one variant, and are looked at as the primary
metric is: always valid while more may come, once under `fixed`. A test of whether they differ at all stands
beside them and holds for one look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from experiments.ab import (
    Arm,
    Balance,
    Difference,
    Heterogeneity,
    Moments,
    always_valid,
    balance,
    by_segment,
    sequential_srm,
)
from experiments.ab.fixed import compare_once
from experiments.report.experiment.arms import arms_of, mean_of
from experiments.report.experiment.cohort import Bools, Cohort
from experiments.report.experiment.compared import (
    Comparison,
    compare_others,
    compare_primary,
    primary_metric,
    treatments,
)
from experiments.report.experiment.guards import Guard, guards
from nba.errors import NotEnoughData

BROKEN = 0.001
"""The p value of the split below which nothing else is believed. Fabijan et al. (2019)."""
REST = "(the rest)"


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantFigures:
    """One variant: its customers, and metric → mean over the mature ones, or why there is none."""

    variant: str
    weight: float
    exposed: int
    mature: int
    means: Mapping[str, float | NotEnoughData]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysed:
    """All that is reported of one experiment.

    Attributes:
        variants: control first.
        split: the always-valid p value that customers fell on the variants as the weights say.
        balance: (metric, variant) → how alike the arms were before first exposure.
        segments: variant → the primary metric by segment, or why not; empty where none are declared.
    """

    cohort: Cohort
    variants: tuple[VariantFigures, ...]
    split: float
    comparisons: tuple[Comparison, ...]
    guards: tuple[Guard, ...]
    balance: Mapping[tuple[str, str], Balance | NotEnoughData]
    segments: Mapping[str, Heterogeneity | NotEnoughData]

    @property
    def broken(self) -> bool:
        """Whether the split is so far off that nothing else should be believed."""
        return self.split < BROKEN

    @property
    def primary(self) -> tuple[Comparison, ...]:
        return tuple(c for c in self.comparisons if c.primary)


def analyse(cohort: Cohort) -> Analysed:
    """Raises InvalidInput where the plan has more looks than customers."""
    experiment = cohort.experiment
    primary = compare_primary(cohort)
    weights = {name: variant.weight for name, variant in experiment.variants.items()}
    return Analysed(
        cohort=cohort,
        variants=tuple(_figures(cohort, place, weight) for place, weight in enumerate(weights.values())),
        split=sequential_srm(cohort.counts(), list(weights.values())),
        comparisons=(*primary, *compare_others(cohort)),
        guards=guards(cohort),
        balance={
            (metric, cohort.names[variant]): _balance(cohort, metric, variant)
            for metric in experiment.metrics
            for variant in treatments(cohort)
        },
        segments={
            c.variant: _segments(cohort, place, c)
            for place, c in zip(treatments(cohort), primary, strict=True)
            if experiment.segments
        },
    )


def _figures(cohort: Cohort, place: int, weight: float) -> VariantFigures:
    rows = np.flatnonzero(cohort.variant[: cohort.mature] == place)
    return VariantFigures(
        variant=cohort.names[place],
        weight=weight,
        exposed=int((cohort.variant == place).sum()),
        mature=len(rows),
        means={name: _mean(values.sums(rows)) for name, values in cohort.values.items()},
    )


def _mean(arm: Arm) -> float | NotEnoughData:
    try:
        return mean_of(arm)
    except ZeroDivisionError:
        return NotEnoughData("no mature customer, or nothing to divide by", {"customers": float(arm.n)})


def _balance(cohort: Cohort, metric: str, variant: int) -> Balance | NotEnoughData:
    try:
        return balance(*cohort.before(metric, variant))
    except NotEnoughData as error:
        return error


def _segments(cohort: Cohort, variant: int, primary: Comparison) -> Heterogeneity | NotEnoughData:
    """The customers on whom the primary figure rests, by segment; an absent primary figure has none."""
    if isinstance(primary.tested.absolute, NotEnoughData):
        return primary.tested.absolute
    plan, metric = cohort.experiment.analysis, primary_metric(cohort)
    arms: dict[str, tuple[Arm, Arm]] = {}
    for name, among in _with_rest(cohort).items():
        try:
            arms[name] = arms_of(cohort, metric, variant, primary.tested.customers, among=among)
        except NotEnoughData:  # told by the table, which lacks it
            continue

    def compare(control: Arm, other: Arm) -> Difference:
        if plan.method == "fixed":
            return compare_once(control, other, level=primary.level)
        return always_valid(control, other, plan.tuning, level=primary.level)

    try:
        return by_segment(
            {name: cast("Moments", control) for name, (control, _) in arms.items()},  # or all a Ratio
            {name: cast("Moments", other) for name, (_, other) in arms.items()},
            level=primary.level,
            method=plan.correction,
            compare=compare,
        )
    except NotEnoughData as error:
        return error


def _with_rest(cohort: Cohort) -> dict[str, Bools]:
    """The declared segments, and who is in none of them."""
    anywhere = np.zeros(len(cohort), dtype=np.bool_)
    for among in cohort.segments.values():
        anywhere |= among
    return {**cohort.segments, REST: ~anywhere}
