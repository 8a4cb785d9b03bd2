"""The real case as a person reads it: values, paired differences, model metrics, and what to keep in mind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.ope import Estimate
from training.cases.offers import LEARNED, Case

METRICS = {
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "log_loss": "log loss",
    "brier": "Brier",
    "calibration_error": "ECE",
    "lift_10": "lift 10 %",
}
CAUTION = (
    "These are one-step values: each says what one decision is worth where the log's own policy had left "
    "the customers, not what a policy earns deployed. The best offer also adds {all} to the reward of the "
    "next wave, whatever comes then, and {again} where the same offer comes again; a one-step value sees "
    "neither."
)


def show(cases: Sequence[Case], models: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print one table of values and one of differences a contact cost, then the models."""
    for case in cases:
        title = f"{case.decisions:,} decisions, contacts at {case.contact_cost:g} USD"
        console.print(_values(case, f"USD per decision, doubly robust, out of fold: {title}"))
        console.print(_differences(case))
        console.print(
            f"chosen in each fold: {', '.join(case.chosen)}; best single offer: {', '.join(case.best)}"
        )
    after = [f"{d.value:+.1f} ({d.low:+.1f} to {d.high:+.1f})" for d in cases[0].carried_over]
    console.print(CAUTION.format(all=after[0], again=after[1]))
    if models:
        console.print(_models(models))


def _values(case: Case, title: str) -> Table:
    table = Table("policy", "value", "95 % interval", title=title, title_justify="left")
    for name, e in sorted(case.values.items(), key=lambda item: -item[1].value):
        style = "bold" if name in LEARNED else None
        table.add_row(name, f"{e.value:.2f}", f"{e.low:.2f} to {e.high:.2f}", style=style)
    return table


def _differences(case: Case) -> Table:
    table = Table("policy", "against", "difference", "95 % interval", "95 % bound")
    table.title, table.title_justify = "Paired differences, by person; the bound is one-sided", "left"
    for (name, against), e in case.differences.items():
        interval = f"{e.low:+.2f} to {e.high:+.2f}"
        table.add_row(name, against, f"{e.value:+.2f}", interval, f"{one_sided(e):+.2f}")
    return table


def one_sided(e: Estimate) -> float:
    """The bound that the truth is above with 95 % confidence: 1.645 standard errors below the value."""
    return e.value - 1.645 * e.stderr


def _models(models: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("data", "model", "split", *METRICS.values(), title="Propensity and churn")
    table.title_justify = "left"
    for row in models:
        table.add_row(row["data"], row["model"], row["split"], *(f"{row[m]:.3f}" for m in METRICS))
    return table
