"""What a health report leaves in MLflow, composed as a value: a run of the experiment `drift`.

MLflow does not add to a run that is finished, so each report is a run, and carries the figures of the reports
before it as its metrics' steps, one a day: whichever run is looked at shows the curve that led to it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence

from experiments.tracking import RunRecord
from experiments.tracking.record import Metric
from nba.playbook.compile import Playbook
from nba.record import timestamp
from training.health.report import Check, HealthReport
from training.health.show import as_text

EXPERIMENT = "drift"
DAYS = 92  # of earlier reports whose figures stand beside the latest
_DAY = 86_400.0
_CURVES = ("reward", "value_calibration", "entropy", "no_good_arm", "calibration")


def record(report: HealthReport, before: Sequence[HealthReport], playbook: Playbook) -> RunRecord:
    """The run of a report. The same report for the same playbook is the same run.

    Args:
        before: earlier reports, oldest first.
    """
    series = [r for r in before if report.as_of - DAYS * _DAY <= r.as_of < report.as_of] + [report]
    breached = sorted({check.name for check in report.breached})
    drawn = curve(series, playbook)
    return RunRecord(
        experiment=EXPERIMENT,
        name=f"{playbook.spec.name} {timestamp(report.as_of)}",
        started_at=report.as_of,
        id=hashlib.sha256(f"health {playbook.version} {report.as_of!r}".encode()).hexdigest()[:32],
        params={
            "playbook": playbook.version,
            "window_from": timestamp(report.window[0]),
            "window_to": timestamp(report.window[1]),
            "reference_from": timestamp(report.reference[0]),
            "decisions": report.decisions,
            "reference_decisions": report.before,
        },
        metrics=tuple(_metrics(series)),
        tags={"model": playbook.spec.name, "breached": ",".join(breached)},
        tables={"checks.json": [_row(check) for check in report.checks]} if report.checks else {},
        dicts={"report.json": report.to_json()},
        texts={"report.txt": as_text(report)},
        figures={} if drawn is None else {"curve.png": drawn},
    )


def metric_name(check: Check) -> str:
    """`psi.device`, `reward.treatment`; what MLflow takes no name with becomes `_`."""
    name = f"{check.name}.{check.subject}" if check.subject else check.name
    return "".join(c if c.isascii() and (c.isalnum() or c in "_./: -") else "_" for c in name)[:250]


def curve(series: Sequence[HealthReport], playbook: Playbook) -> bytes | None:
    """The checks on what is chosen and earned by day, each as a share of its bound: above 1 is out of it.

    PNG; None where none was made. Entropy is drawn the other way round, since it must not fall.
    """
    from matplotlib.figure import Figure

    lines: dict[str, list[tuple[float, float]]] = {}
    for report in series:
        for check in report.checks:
            if check.name in _CURVES and check.threshold > 0:
                share = check.value / check.threshold
                share = 1 / max(share, 0.1) if check.name == "entropy" else share
                lines.setdefault(metric_name(check), []).append((report.as_of / _DAY, share))
    if not lines:
        return None
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes, last = figure.subplots(), series[-1].as_of / _DAY
    for name, points in lines.items():
        axes.plot([day - last for day, _ in points], [share for _, share in points], marker=".", label=name)
    axes.axhline(1, color="black", linewidth=1, linestyle="--")
    axes.set_xlabel(f"days until {timestamp(series[-1].as_of)}")
    axes.set_ylabel("share of the playbook's bound")
    axes.set_title(f"{playbook.spec.name}: health", fontsize="medium")
    axes.legend(fontsize="small")
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=110)
    return held.getvalue()


def _metrics(series: Sequence[HealthReport]) -> Iterator[Metric]:
    """Steps count days from 1970 on, so that those of two runs stand over each other.

    Of earlier reports what makes a curve is enough: a hundred features a day would make MLflow slow.
    """
    for report in series:
        step = int(report.as_of // _DAY)
        for check in report.checks:
            if check.name in _CURVES or report is series[-1]:
                yield metric_name(check), check.value, step
        indices = [check.value for check in report.checks if check.name == "psi"]
        if indices:
            yield "largest_psi", max(indices), step
        yield "breached", float(len(report.breached)), step


def _row(check: Check) -> dict[str, str | float | bool]:
    return {
        "check": check.name,
        "subject": check.subject,
        "value": check.value,
        "threshold": check.threshold,
        "breached": check.breached,
        "detail": check.detail,
    }
