"""An experiment's report as tables for a terminal, and as text for a file."""

from __future__ import annotations

from rich.console import Console

from experiments.report.experiment.analysis import Analysed
from experiments.report.experiment.arms import Found
from experiments.report.experiment.cohort import Cohort
from experiments.report.experiment.compared import Comparison
from experiments.report.experiment.state import state_of
from experiments.report.experiment.verdict import verdict
from experiments.report.experiment.warn import notes, warnings
from experiments.report.tables import captured, table
from experiments.report.words import amount, p_value, percent, span
from nba.errors import NotEnoughData
from nba.model import timestamp

NOT_ENOUGH = "not enough data"
Rows = list[dict[str, str]]


def show(found: Analysed, currency: str, console: Console) -> None:
    """Print the verdict, the tables, and what to mind."""
    cohort, decided = found.cohort, verdict(found, unit(found.cohort, currency))
    console.print(_title(cohort), highlight=False, soft_wrap=True)
    console.print(f"{decided.call}: {decided.why}", style="bold", highlight=False, soft_wrap=True)
    for name, (call, why) in decided.variants.items():
        if len(decided.variants) > 1:
            console.print(f"  {name}: {call}: {why}", highlight=False, soft_wrap=True)
    for rows in (variant_rows(found), comparison_rows(found), look_rows(found), segment_rows(found)):
        if rows and len(cohort):
            console.print(table(rows))
    for line in warnings(found):
        console.print(f"warning: {line}", style="bold red", highlight=False, soft_wrap=True)
    for line in notes(found):
        console.print(f"note: {line}", style="dim", highlight=False, soft_wrap=True)


def as_text(found: Analysed, currency: str) -> str:
    return captured(lambda console: show(found, currency, console))


def unit(cohort: Cohort, currency: str) -> str:
    """Of the primary metric, with a space before it; nothing for a count."""
    metric = next(iter(cohort.experiment.metrics.values()))
    return f" {currency}" if metric.of in ("net", "earned") else ""


def variant_rows(found: Analysed) -> Rows:
    """One row a variant: customers, and the mean of each metric."""
    total, customers = sum(v.weight for v in found.variants), sum(v.exposed for v in found.variants)
    return [
        {
            "variant": v.variant if place or v.variant == "control" else f"{v.variant} (control)",
            "customers": f"{v.exposed:,}",
            "by weights": f"{customers * v.weight / total:,.1f}",
            "mature": f"{v.mature:,}",
            **{name: _mean(mean) for name, mean in v.means.items()},
        }
        for place, v in enumerate(found.variants)
    ]


def comparison_rows(found: Analysed) -> Rows:
    """One row a metric and variant; without figures where the data can't carry them."""
    guards = {(g.metric, g.variant): g for g in found.guards}
    rows = []
    for c in found.comparisons:
        guard = guards.get((c.metric, c.variant))
        rows.append(
            {
                "metric": f"{c.metric} *" if c.primary else c.metric,
                "variant": c.variant,
                **_difference(c),
                "p": p_text(c.p_value),
                "": "" if c.word == NOT_ENOUGH else c.word,
                "harm": "" if guard is None else "broken" if guard.broken else f"≤ {percent(guard.harm)}",
            }
        )
    return rows


def look_rows(found: Analysed) -> Rows:
    """One row a planned look that was taken."""
    return [
        {
            "look": f"{look.look} of {found.cohort.experiment.analysis.looks}",
            "variant": c.variant,
            "customers": f"{look.customers:,}",
            "z": f"{look.z:.2f}",
            "bound": f"{look.bound:.2f}",
            "crossed": "yes" if look.crossed else "no",
        }
        for c in found.primary
        for look in c.tested.looks
    ]


def segment_rows(found: Analysed) -> Rows:
    """One row a variant and segment, on the primary metric."""
    rows = []
    for variant, one in found.segments.items():
        if isinstance(one, NotEnoughData):
            continue
        rows += [
            {
                "segment": row.segment,
                "variant": variant,
                "customers": f"{row.control_n:,} + {row.treatment_n:,}",
                "difference": amount(row.difference.value, row.difference.stderr),
                "interval": span(row.difference),
                "p": p_text(row.p_value),
            }
            for row in one.rows
        ]
    return rows


def balance_rows(found: Analysed) -> Rows:
    """One row a metric and variant: how alike the arms were before."""
    return [
        {
            "metric": metric,
            "variant": variant,
            "standardised difference": NOT_ENOUGH
            if isinstance(b, NotEnoughData)
            else f"{b.standardised:.3f}",
            "p": "" if isinstance(b, NotEnoughData) else p_text(b.p_value),
            "": "" if isinstance(b, NotEnoughData) else b.word,
        }
        for (metric, variant), b in found.balance.items()
    ]


def _title(cohort: Cohort) -> str:
    experiment = cohort.experiment
    return (
        f"{experiment.name} on layer {experiment.layer}, {state_of(experiment, cohort.as_of)} as of "
        f"{timestamp(cohort.as_of)}; {experiment.analysis.method}, α = {experiment.analysis.alpha:g}; "
        f"{len(cohort):,} customers exposed, {cohort.mature:,} mature, "
        f"{len(cohort) - cohort.mature:,} not mature yet"
    )


def _mean(mean: float | NotEnoughData) -> str:
    return "" if isinstance(mean, NotEnoughData) else f"{mean:,.4g}"


def _difference(c: Comparison) -> dict[str, str]:
    absolute, relative = c.tested.absolute, c.tested.relative
    return {
        "difference": _value(absolute),
        "interval": "" if isinstance(absolute, NotEnoughData) else span(absolute),
        "level": f"{100 * c.level:.4g} %",
        "relative, %": ""
        if isinstance(relative, NotEnoughData)
        else f"{100 * relative.value:.1f} ({100 * relative.low:.1f} to {100 * relative.high:.1f})",
    }


def _value(found: Found) -> str:
    return NOT_ENOUGH if isinstance(found, NotEnoughData) else amount(found.value, found.stderr)


def p_text(p: float | NotEnoughData) -> str:
    """`0.012`, `< 0.0001`, or nothing."""
    return "" if isinstance(p, NotEnoughData) else p_value(p).removeprefix("p ").removeprefix("= ")


def line(found: Analysed, currency: str) -> str:
    """One line on a running experiment: `experiment welcome: keep running: …`."""
    decided = verdict(found, unit(found.cohort, currency))
    return f"experiment {found.cohort.experiment.name}: {decided.call}: {decided.why}"
