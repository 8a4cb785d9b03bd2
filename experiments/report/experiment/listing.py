"""The experiments of a playbook at a glance: one row a variant."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.report.experiment.cohort import Cohort
from experiments.report.experiment.state import state_of


def list_rows(cohorts: Sequence[Cohort]) -> list[dict[str, str | float]]:
    """name, layer, share, state, variant, exposed, mature."""
    rows: list[dict[str, str | float]] = []
    for cohort in cohorts:
        experiment, exposed, mature = cohort.experiment, cohort.counts(), cohort.counts(cohort.mature)
        for place, variant in enumerate(cohort.names):
            rows.append(
                {
                    "name": experiment.name,
                    "layer": experiment.layer,
                    "share": experiment.share,
                    "state": state_of(experiment, cohort.as_of),
                    "variant": variant,
                    "exposed": int(exposed[place]),
                    "mature": int(mature[place]),
                }
            )
    return rows
