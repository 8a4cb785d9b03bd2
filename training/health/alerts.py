"""Whom to tell, and how: a structured log line, a webhook, a metric. Telling never raises."""

from __future__ import annotations

import sys
import time
from typing import Any

import structlog
from prometheus_client import start_http_server

from nba.errors import InvalidInput
from training.health import metrics
from training.health.report import HealthReport
from training.health.webhook import Webhook

POSTED = frozenset(
    {
        "health_alert",
        "quarantined",
        "rolled_back",
        "ramped",
        "retrained",
        "learning_failed",
        "watch_failed",
    }
)
"""The events that go to the webhook: what changes what serves, and what a person should look at."""
_WARNINGS = frozenset({"health_alert", "quarantined", "rolled_back", "learning_failed", "watch_failed"})
_AGAIN = 900.0  # seconds until the same words are posted again
MOST_TOLD = 20  # checks that one alert names


class Alerts:
    """Tells what happened: a JSON line to stderr always, a metric, the webhook for what is in `POSTED`.

    Args:
        webhook: its address; None for none.
        secret: signs what is posted.
        log: takes structlog's calls; one of its own by default.

    Raises:
        InvalidInput: the webhook is no address.
    """

    def __init__(self, *, webhook: str | None, secret: str | None, log: Any = None) -> None:
        self._webhook = None if webhook is None else Webhook(webhook, secret)
        self._log = _lines() if log is None else log
        self._posted: dict[tuple[str, str], float] = {}

    def tell(self, event: str, said: str, **fields: Any) -> None:
        """Args: said: one sentence. fields: figures and names, nothing of a customer."""
        level = self._log.warning if event in _WARNINGS else self._log.info
        level(event, said=said, **fields)
        metrics.count_step(event)
        if self._webhook is None or event not in POSTED or not self._new(event, said):
            return
        reason = self._webhook.post(event, said, fields)
        if reason is not None:
            metrics.count_unsent()
            self._log.warning("webhook_failed", of=event, reason=reason)

    def report(self, report: HealthReport, before: HealthReport | None) -> None:
        """Set the metrics, and alert where something is out of bounds that was not before."""
        metrics.set_report(report)
        known = {(c.name, c.subject) for c in before.breached} if before is not None else set()
        new = [c for c in report.breached if (c.name, c.subject) not in known]
        if not new:
            return
        said = "; ".join(c.detail for c in new[:MOST_TOLD])
        if len(new) > MOST_TOLD:
            said += f"; and {len(new) - MOST_TOLD} more"
        told = [
            {"check": c.name, "subject": c.subject, "value": c.value, "threshold": c.threshold} for c in new
        ]
        lasting = len(report.breached) - len(new)
        self.tell("health_alert", said, as_of=report.as_of, checks=told, lasting=lasting)

    def _new(self, event: str, said: str) -> bool:
        """Whether these words were not posted lately: what goes wrong every few seconds is told once."""
        now = time.monotonic()
        self._posted = {key: at for key, at in self._posted.items() if now - at < _AGAIN}
        fresh = (event, said) not in self._posted
        self._posted.setdefault((event, said), now)
        return fresh


def serve_metrics(port: int) -> int:
    """Serve Prometheus metrics on 127.0.0.1 from a thread of its own, until the process ends.

    Returns:
        The port; of 0 a free one.

    Raises:
        InvalidInput: the port can't be had.
    """
    try:
        server, _ = start_http_server(port, addr="127.0.0.1", registry=metrics.REGISTRY)
    except OSError as error:
        told = f"{port} can't be served on: {error.strerror}; name another port, or 0 for a free one"
        raise InvalidInput.of("metrics-port", told) from None
    return int(server.server_port)


def _lines() -> Any:
    """JSON lines on stderr, whatever else the process has made of structlog."""
    return structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(default=str),
        ],
    )
