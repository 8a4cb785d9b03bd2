"""What an impact report leaves in MLflow, composed as a value: a run of the experiment `impact`."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

from experiments.tracking import RunRecord
from experiments.tracking.record import Metric
from nba.playbook.compile import Playbook
from nba.record import timestamp
from training.impact.report import Impact
from training.impact.show import as_text

EXPERIMENT = "impact"


def record(impact: Impact, playbook: Playbook) -> RunRecord:
    """The run of a report. The same period under the same playbook is the same run."""
    key = f"impact {impact.playbook} {impact.since!r} {impact.as_of!r} {impact.level!r}"
    drawn = plot(impact)
    return RunRecord(
        experiment=EXPERIMENT,
        name=f"{playbook.spec.name} {timestamp(impact.as_of)}",
        started_at=impact.as_of,
        id=hashlib.sha256(key.encode()).hexdigest()[:32],
        params={
            "playbook": impact.playbook,
            "since": timestamp(impact.since),
            "as_of": timestamp(impact.as_of),
            "level": impact.level,
        },
        metrics=tuple(_metrics(impact)),
        tags={"model": playbook.spec.name, "policy": ",".join(impact.policies)[:5_000]},
        tables={
            "comparisons.json": [
                {"against": c.against, "how": c.how, "said": c.said, "missing": c.missing}
                for c in impact.comparisons
            ]
        },
        dicts={"impact.json": impact.to_json()},
        texts={"impact.txt": as_text(impact)},
        figures={} if drawn is None else {"impact.png": drawn},
    )


def plot(impact: Impact) -> bytes | None:
    """Each difference with its interval, PNG; None where there is none to draw."""
    from matplotlib.figure import Figure

    known = [(c.what, c.worth) for c in impact.comparisons if c.worth is not None]
    if not known:
        return None
    figure = Figure(figsize=(9, 1.2 + 0.6 * len(known)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="grey", linewidth=1)
    ends = [[w.value - w.low for _, w in known], [w.high - w.value for _, w in known]]
    axes.errorbar([w.value for _, w in known], range(len(known)), xerr=ends, fmt="o", capsize=4)
    axes.set_yticks(range(len(known)), [what for what, _ in known])
    axes.set_ylim(len(known) - 0.5, -0.5)
    axes.set_xlabel(f"{impact.currency} more per customer, {100 * impact.level:g} % interval")
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=110, metadata={"Software": None})
    return held.getvalue()


def _metrics(impact: Impact) -> Iterator[Metric]:
    for c in impact.comparisons:
        if c.worth is not None:
            for figure in ("value", "stderr", "low", "high", "customers", "decisions_each"):
                yield f"{c.against}.{figure}", float(getattr(c.worth, figure)), 0
