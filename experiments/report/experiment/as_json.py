"""An experiment's report for a program: all figures, unrounded, each or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from experiments.ab import Balance, Heterogeneity
from experiments.report.experiment.analysis import Analysed
from experiments.report.experiment.compared import Comparison
from experiments.report.experiment.show import unit
from experiments.report.experiment.state import state_of
from experiments.report.experiment.verdict import verdict
from experiments.report.experiment.warn import notes, warnings
from experiments.report.tables import figures
from nba.errors import NotEnoughData
from nba.model import timestamp


def as_json(found: Analysed, currency: str) -> dict[str, Any]:
    """All figures, unrounded. Where there is no figure there is `not_enough_data`, which says why."""
    cohort, decided = found.cohort, verdict(found, unit(found.cohort, currency))
    return {
        "name": cohort.experiment.name,
        "state": state_of(cohort.experiment, cohort.as_of),
        "as_of": timestamp(cohort.as_of),
        "method": cohort.experiment.analysis.method,
        "alpha": cohort.experiment.analysis.alpha,
        "currency": currency,
        "verdict": {
            "call": decided.call,
            "why": decided.why,
            "variants": {name: {"call": c, "why": why} for name, (c, why) in decided.variants.items()},
        },
        "variants": [
            {
                "variant": v.variant,
                "weight": v.weight,
                "exposed": v.exposed,
                "mature": v.mature,
                "means": {name: figures(mean) for name, mean in v.means.items()},
            }
            for v in found.variants
        ],
        "sample_ratio": {"p_value": found.split, "broken": found.broken},
        "comparisons": [_comparison(c) for c in found.comparisons],
        "guardrails": [
            {
                "metric": g.metric,
                "variant": g.variant,
                "harm": g.harm,
                "broken": g.broken,
                "beyond": figures(g.beyond),
            }
            for g in found.guards
        ],
        "balance": [
            {"metric": metric, "variant": variant, **_balance(b)}
            for (metric, variant), b in found.balance.items()
        ],
        "segments": {variant: _segments(one) for variant, one in found.segments.items()},
        "switched": cohort.switched,
        "reweighted": cohort.reweighted,
        "in_no_variant": cohort.gone,
        "held_only": cohort.held,
        "warnings": warnings(found),
        "notes": notes(found),
    }


def _comparison(c: Comparison) -> dict[str, Any]:
    p = c.p_value
    return {
        "metric": c.metric,
        "variant": c.variant,
        "primary": c.primary,
        "word": c.word,
        "customers": c.tested.customers,
        "adjusted": c.tested.adjusted,
        "final": c.tested.final,
        "level": c.level,
        "p_value": p.detail if isinstance(p, NotEnoughData) else p,
        "absolute": figures(c.tested.absolute),
        "relative": figures(c.tested.relative),
        "looks": [asdict(look) for look in c.tested.looks],
    }


def _balance(found: Balance | NotEnoughData) -> Mapping[str, Any]:
    return figures(found) if isinstance(found, NotEnoughData) else asdict(found)


def _segments(found: Heterogeneity | NotEnoughData) -> dict[str, Any]:
    if isinstance(found, NotEnoughData):
        return figures(found)
    rows = [
        {
            "segment": row.segment,
            "control_n": row.control_n,
            "treatment_n": row.treatment_n,
            "difference": figures(row.difference),
        }
        for row in found.rows
    ]
    return {"rows": rows, "left_out": dict(found.left_out), "q": found.q, "p_value": found.p_value}
