"""An experiment's report as a run in the experiment `ab` of MLflow: what was asked, found, and drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from experiments.ab import Difference
from experiments.report.experiment.analysis import Analysed
from experiments.report.experiment.as_json import as_json
from experiments.report.experiment.plots import band, draw_balance, draw_band, draw_differences
from experiments.report.experiment.show import (
    as_text,
    balance_rows,
    comparison_rows,
    look_rows,
    segment_rows,
    unit,
    variant_rows,
)
from experiments.report.experiment.verdict import verdict
from experiments.report.track import EXPERIMENT
from nba.errors import NotEnoughData
from nba.model import timestamp
from nba.playbook.compile import Playbook

if TYPE_CHECKING:
    from experiments.tracking import Run, Tracker


def log_experiment(found: Analysed, playbook: Playbook, tracker: Tracker) -> str:
    """The id of the run.

    Raises:
        StoreUnavailable: MLflow can't be reached.
    """
    cohort, currency = found.cohort, playbook.spec.currency
    tags = {
        "experiment": cohort.experiment.name,
        "playbook": playbook.version,
        "verdict": verdict(found, unit(cohort, currency)).call,
    }
    name = f"{cohort.experiment.name} {timestamp(cohort.as_of)}"
    with tracker.run(EXPERIMENT, name, params(found, playbook), tags=tags) as run:
        run.log_metrics(metrics(found))
        _log_band(found, run)
        for file, rows in tables(found).items():
            if rows:
                run.log_table(rows, file)
        run.log_dict(as_json(found, currency), "report.json")
        run.log_text(as_text(found, currency), "report.txt")
        for file, figure in _figures(found):
            run.log_figure(figure, file)
    return run.run_id


def params(found: Analysed, playbook: Playbook) -> Mapping[str, object]:
    """What was declared."""
    cohort = found.cohort
    experiment, plan = cohort.experiment, cohort.experiment.analysis
    return {
        "experiment": experiment.name,
        "playbook": playbook.version,
        "as_of": timestamp(cohort.as_of),
        "variants": ", ".join(f"{name}: {v.weight:g}" for name, v in experiment.variants.items()),
        "metrics": ", ".join(experiment.metrics),
        "window_days": experiment.window / 86_400,
        "before_days": experiment.before / 86_400,
        **plan.model_dump(exclude_none=True),
    }


def metrics(found: Analysed) -> Mapping[str, float]:
    """The figures there are: `bold.net.value`, `bold.net.relative.low`, `control.mature`, …"""
    told: dict[str, float] = {"split.p_value": found.split, "switched": found.cohort.switched}
    for v in found.variants:
        told |= {f"{v.variant}.exposed": v.exposed, f"{v.variant}.mature": v.mature}
        told |= {
            f"{v.variant}.{name}.mean": mean
            for name, mean in v.means.items()
            if not isinstance(mean, NotEnoughData)
        }
    for c in found.comparisons:
        told |= _named(f"{c.variant}.{c.metric}", c.tested.absolute)
        told |= _named(f"{c.variant}.{c.metric}.relative", c.tested.relative)
    told |= {f"{g.variant}.{g.metric}.harmed": float(g.broken) for g in found.guards}
    return told


def tables(found: Analysed) -> Mapping[str, list[dict[str, str]]]:
    """By file; one without rows says nothing."""
    return {
        "variants.json": variant_rows(found),
        "comparisons.json": comparison_rows(found),
        "looks.json": look_rows(found),
        "segments.json": segment_rows(found),
        "balance.json": balance_rows(found),
    }


def _log_band(found: Analysed, run: Run) -> None:
    """The always-valid band as metrics over customers, so that MLflow draws it too."""
    for point in band(found.cohort):
        name = f"{point.variant}.band"
        ends = {f"{name}.low": point.found.low, f"{name}.high": point.found.high}
        run.log_metrics({f"{name}.value": point.found.value, **ends}, step=point.customers)


def _figures(found: Analysed) -> Iterator[tuple[str, object]]:
    drawn = {
        "differences.png": draw_differences(found),
        "band.png": draw_band(found.cohort),
        "balance.png": draw_balance(found),
    }
    return ((file, figure) for file, figure in drawn.items() if figure is not None)


def _named(name: str, found: Difference | NotEnoughData) -> dict[str, float]:
    if isinstance(found, NotEnoughData):
        return {}
    figures = ("value", "low", "high", "p_value")
    return {f"{name}.{figure}": getattr(found, figure) for figure in figures}
