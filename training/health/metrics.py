"""What Prometheus reads of a learner: the latest health figures, and what the learner did.

One registry for the process, so that `serve_metrics` and whoever sets a figure need not know each other.
"""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge

from training.health.report import HealthReport

REGISTRY = CollectorRegistry()
_VALUE = Gauge("nba_health_value", "The latest figure of a check.", ["check", "subject"], registry=REGISTRY)
_BREACHED = Gauge(
    "nba_health_breached", "How many figures of a check are out of bounds.", ["check"], registry=REGISTRY
)
_REPORTED = Gauge(
    "nba_health_report_timestamp_seconds", "The moment that the latest report is about.", registry=REGISTRY
)
_STEPS = Counter("nba_learn_steps", "What the learner did, by event.", ["event"], registry=REGISTRY)
_LAST = Gauge("nba_learn_last_step_timestamp_seconds", "When it last did so.", ["event"], registry=REGISTRY)
_UNSENT = Counter("nba_learn_webhook_failures", "Alerts that no webhook took.", registry=REGISTRY)


def set_report(report: HealthReport) -> None:
    """Put the report's figures in place of the one before; a check that was not made is gone."""
    _VALUE.clear()
    _BREACHED.clear()
    for check in report.checks:
        _VALUE.labels(check.name, check.subject).set(check.value)
    for name in {check.name for check in report.checks}:
        _BREACHED.labels(name).set(sum(check.name == name for check in report.breached))
    _REPORTED.set(report.as_of)


def count_step(event: str) -> None:
    _STEPS.labels(event).inc()
    _LAST.labels(event).set(time.time())


def count_unsent() -> None:
    _UNSENT.inc()
