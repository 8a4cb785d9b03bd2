"""An experiment in pictures: differences with their intervals, the band as customers matured, the balance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from experiments.ab import Difference, always_valid
from experiments.report.experiment.analysis import Analysed
from experiments.report.experiment.arms import LEAST, arms_of
from experiments.report.experiment.cohort import Cohort
from experiments.report.experiment.compared import Comparison, primary_metric, treatments
from nba.errors import NotEnoughData
from nba.model import timestamp

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The always-valid figure of one variant after so many mature customers."""

    variant: str
    customers: int
    found: Difference


def band(cohort: Cohort) -> list[Point]:
    """How the primary metric's estimate and band went as customers matured, at evenly spaced numbers."""
    level = 1 - cohort.experiment.analysis.alpha / (len(cohort.names) - 1)
    start = min(2 * LEAST, cohort.mature)
    cuts = np.unique(np.linspace(start, cohort.mature, POINTS).astype(int)).tolist()
    points = []
    for variant in treatments(cohort):
        for until in cuts:
            try:
                arms = arms_of(cohort, primary_metric(cohort), variant, until)
                found = always_valid(*arms, cohort.experiment.analysis.tuning, level=level)
            except NotEnoughData:  # no band yet
                continue
            points.append(Point(variant=cohort.names[variant], customers=until, found=found))
    return points


def draw_band(cohort: Cohort) -> Figure | None:
    """None where there is nothing to draw."""
    from matplotlib.figure import Figure

    points = band(cohort)
    if not points:
        return None
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0, color="grey", linewidth=1)
    for name in cohort.names[1:]:
        own = [p for p in points if p.variant == name]
        x = [p.customers for p in own]
        (line,) = axes.plot(x, [p.found.value for p in own], label=name)
        axes.fill_between(
            x, [p.found.low for p in own], [p.found.high for p in own], alpha=0.2, color=line.get_color()
        )
    axes.set_xlabel("mature customers, all variants")
    axes.set_ylabel(f"{primary_metric(cohort)}: difference to {cohort.names[0]}")
    axes.set_title(
        f"{cohort.experiment.name} until {timestamp(cohort.as_of)}, always-valid band", fontsize="medium"
    )
    axes.legend()
    return figure


def draw_differences(found: Analysed) -> Figure | None:
    """Each metric's difference with its interval, on a scale of its own; None where there is none."""
    from matplotlib.figure import Figure

    by_metric: dict[str, list[tuple[str, Comparison, Difference]]] = {}
    for c in found.comparisons:
        if isinstance(c.tested.absolute, Difference):
            by_metric.setdefault(c.metric, []).append((c.variant, c, c.tested.absolute))
    if not by_metric:
        return None
    figure = Figure(figsize=(8, 1.0 + 1.1 * len(by_metric)), layout="constrained")
    panels = figure.subplots(len(by_metric), 1, squeeze=False)[:, 0]
    for axes, (metric, drawn) in zip(panels, by_metric.items(), strict=True):
        _draw_intervals(axes, [(name, d) for name, _, d in drawn])
        axes.set_title(f"{metric}, {100 * drawn[0][1].level:g} % intervals", fontsize="small", loc="left")
    return figure


def draw_balance(found: Analysed) -> Figure | None:
    """How alike the variants were before, in standard deviations; None where that is not known."""
    from matplotlib.figure import Figure

    known = [
        (f"{metric} ({variant})", b.standardised)
        for (metric, variant), b in found.balance.items()
        if not isinstance(b, NotEnoughData)
    ]
    if not known:
        return None
    figure = Figure(figsize=(8, 1.2 + 0.4 * len(known)), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(-0.1, 0.1, color="grey", alpha=0.15)
    axes.axvline(0, color="grey", linewidth=1)
    axes.plot([value for _, value in known], range(len(known)), "o")
    axes.set_yticks(range(len(known)), [name for name, _ in known])
    axes.set_ylim(len(known) - 0.5, -0.5)
    axes.set_xlabel("before exposure: difference to control, standard deviations of a customer")
    return figure


def _draw_intervals(axes: Axes, drawn: list[tuple[str, Difference]]) -> None:
    values = [d.value for _, d in drawn]
    ends = [[d.value - d.low for _, d in drawn], [d.high - d.value for _, d in drawn]]
    axes.axvline(0, color="grey", linewidth=1)
    axes.errorbar(values, range(len(drawn)), xerr=ends, fmt="o", capsize=4)
    axes.set_yticks(range(len(drawn)), [name for name, _ in drawn])
    axes.set_ylim(len(drawn) - 0.5, -0.5)
