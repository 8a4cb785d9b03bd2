"""A plan as a table for a terminal and as JSON for a program."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console

from experiments.report.experiment.history import DAY, History
from experiments.report.experiment.plan import LOOKED, Plan
from experiments.report.tables import table


def show(plan: Plan, console: Console) -> None:
    """Print what was measured, and what each method needs."""
    for line in _measured(plan):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(table(plan_rows(plan)))
    for line in _notes(plan):
        console.print(f"note: {line}", style="dim", highlight=False, soft_wrap=True)


def plan_rows(plan: Plan) -> list[dict[str, str]]:
    """One row a method."""
    return [
        {
            "method": f"{one.method}{' (declared)' if one.method == plan.experiment.analysis.method else ''}",
            **{name: f"{customers:,}" for name, customers in one.variants.items()},
            "customers": f"{one.customers:,}",
            "days": f"{one.days:,.0f}",
        }
        for one in plan.methods
    ]


def as_json(plan: Plan) -> dict[str, Any]:
    """All figures, unrounded."""
    return {
        "name": plan.experiment.name,
        "metric": next(iter(plan.experiment.metrics)),
        "effect": plan.effect,
        "power": plan.power,
        "alpha": plan.alpha,
        "history": {**asdict(plan.history), "daily": plan.history.daily},
        "methods": [
            {"method": o.method, "variants": o.variants, "customers": o.customers, "days": o.days}
            for o in plan.methods
        ],
    }


def _measured(plan: Plan) -> list[str]:
    history, metric = plan.history, next(iter(plan.experiment.metrics))
    share = f" ({100 * plan.effect / history.mean:.3g} % of it)" if history.mean else ""
    return [
        f"{metric} of {history.n:,} customers of the past: mean {history.mean:.4g}, standard deviation "
        f"{history.variance**0.5:.4g}; {_told_before(history, plan.experiment.before)}",
        f"to find {plan.effect:.4g}{share} with power {plan.power:g}, α = {plan.alpha:.3g} a variant",
    ]


def _told_before(history: History, before: float) -> str:
    if history.before == 0:
        return (
            f"no pre-period known: the store has nothing of them in the {before / DAY:g} days before they "
            "entered, so the plan counts no CUPED in"
        )
    return f"what they did before tells {100 * history.rho**2:.0f} % of the variance (CUPED)"


def _notes(plan: Plan) -> list[str]:
    experiment, history = plan.experiment, plan.history
    return [
        f"days: {history.daily * experiment.share:,.1f} new customers a day, as over {history.days:.0f} "
        f"days, and {experiment.window / 86_400:g} days to mature; newcomers grow fewer the longer it runs",
        f"always-valid is taken to be looked at {LOOKED} times, group-sequential "
        f"{experiment.analysis.looks} times: both find a larger effect sooner",
    ]
