"""A retraining as a person reads it: the candidates, the estimates side by side, the verdict."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from experiments.ope import Estimate
from training.policy.retrain import Retrained


def show(result: Retrained, console: Console) -> None:
    """Print the result as tables and one sentence."""
    verdict = result.verdict
    console.print(
        f"{result.mature:,} decisions with mature rewards ({result.immature:,} are not mature yet); "
        f"judged on {verdict.decisions:,} later than the training of {result.champion}"
    )
    candidates = Table("candidate", "value held out", "± standard error", title="Chosen by DR value")
    for c in result.chosen.candidates:
        candidates.add_row(c.specification, f"{c.value:.3f}", f"{c.stderr:.3f}")
    console.print(candidates)
    estimates = Table("estimator", f"challenger {result.specification}", f"champion {result.champion}")
    estimates.title = "Off-policy value per decision"
    for name in dict.fromkeys((*verdict.challenger, *verdict.champion)):
        estimates.add_row(name, _cell(verdict.challenger.get(name)), _cell(verdict.champion.get(name)))
    console.print(estimates)
    console.print(verdict.reason)
    if result.publication is not None:
        console.print(f"published {result.specification}@{result.publication.number}")
    elif verdict.still_needed is not None:
        console.print(f"not published; about {verdict.still_needed:,} more mature decisions are needed")
    else:
        console.print("not published")


def _cell(estimate: Estimate | None) -> str:
    if estimate is None:
        return "not enough data"
    interval = f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
    return f"{interval}, effective n {estimate.effective_n:,.0f}"
