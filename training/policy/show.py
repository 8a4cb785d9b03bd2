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
        f"judged on {verdict.decisions:,} against {result.champion}"
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
    console.print(_outcome(result))
    if result.run_id is None:
        console.print(
            "not logged yet: MLflow can't be reached; the run is kept in the store and sent with the next one"
        )
    if result.shadow is not None:
        console.print(
            f"{result.shadow} looks on: its agreement is nba_shadow in /metrics, its choices trace.watching"
        )


def _outcome(result: Retrained) -> str:
    made = result.publication
    if made is not None:
        name = made.name
        if made.kind == "ramp":
            return (
                f"published {name}, which decides for {made.share:.0%} of treatment customers; "
                f"`nba learn` takes it further, or `nba promote {name} --share …`"
            )
        if result.decides is None:
            return f"published {name}"
        return (
            f"proven and published as {name}; mode is apprentice, so {result.decides} decides and it looks on"
        )
    if result.verdict.still_needed is not None:
        return f"not published; about {result.verdict.still_needed:,} more mature decisions are needed"
    if result.verdict.difference is not None and result.verdict.difference.value > 0:
        effective = result.verdict.difference.effective_n
        return f"not published; too few decisions resemble the challenger's (effective n {effective:,.0f})"
    return "not published"


def _cell(estimate: Estimate | None) -> str:
    if estimate is None:
        return "not enough data"
    interval = f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
    return f"{interval}, effective n {estimate.effective_n:,.0f}"
