"""The A/B report written to the experiment `ab` of MLflow: parameters, figures, tables and a plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from experiments.ab import Difference
from experiments.report.compare import Report
from experiments.report.show import as_json, as_text, comparison_rows, group_rows
from experiments.report.words import pair_name
from nba.errors import NotEnoughData
from nba.record import timestamp

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments.tracking import Tracker

EXPERIMENT = "ab"


def log_report(report: Report, tracker: Tracker) -> str:
    """The id of the run.

    Raises:
        StoreUnavailable: MLflow can't be reached.
    """
    params = {
        "playbook": report.playbook,
        "since": timestamp(report.since),
        "as_of": timestamp(report.as_of),
        "level": report.level,
    }
    with tracker.run(EXPERIMENT, f"{report.playbook} {timestamp(report.as_of)}", params) as run:
        run.log_metrics(metrics(report))
        run.log_table(group_rows(report), "groups.json")
        run.log_table(comparison_rows(report), "comparisons.json")
        run.log_dict(as_json(report), "report.json")
        run.log_text(as_text(report), "report.txt")
        drawn = plot(report)
        if drawn is not None:
            run.log_figure(drawn, "differences.png")
    return run.run_id


def metrics(report: Report) -> Mapping[str, float]:
    """The figures there are: `treatment_minus_holdout.value`, `holdout.net_per_customer`, …"""
    found: dict[str, float] = {"moved": report.moved, "recent_contacts": report.recent}
    for group, f in report.groups.items():
        found[f"{group}.customers"] = f.customers
        found[f"{group}.contacts"] = f.contacts
        if f.customers:
            found[f"{group}.net_per_customer"] = f.net.mean
    for c in report.comparisons:
        name = f"{c.treatment}_minus_{c.control}"
        found |= _named(name, c.absolute) | _named(f"{name}.relative", c.relative)
    if not isinstance(report.split.p_value, NotEnoughData):
        found["sample_ratio.p_value"] = report.split.p_value
    return found


def plot(report: Report) -> Figure | None:
    """Each difference with its interval, in currency; None where there is none to draw."""
    from matplotlib.figure import Figure

    drawn = [(pair_name(c), c.absolute) for c in report.comparisons]
    points = [(name, d) for name, d in drawn if isinstance(d, Difference)]
    if not points:
        return None
    figure = Figure(figsize=(8, 1.2 + 0.7 * len(points)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="grey", linewidth=1)
    values = [d.value for _, d in points]
    ends = [[d.value - d.low for _, d in points], [d.high - d.value for _, d in points]]
    axes.errorbar(values, range(len(points)), xerr=ends, fmt="o", capsize=4)
    axes.set_yticks(range(len(points)), [name for name, _ in points])
    axes.set_ylim(len(points) - 0.5, -0.5)
    axes.set_xlabel(f"{report.currency} per customer, {100 * report.level:g} % interval")
    axes.set_title(f"{report.playbook} until {timestamp(report.as_of)}", fontsize="medium")
    return figure


def _named(name: str, found: Difference | NotEnoughData) -> dict[str, float]:
    if isinstance(found, NotEnoughData):
        return {}
    return {
        f"{name}.value": found.value,
        f"{name}.low": found.low,
        f"{name}.high": found.high,
        f"{name}.p_value": found.p_value,
    }
