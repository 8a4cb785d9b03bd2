"""JSON logs, one line an event, to stderr. No customer ids, no bodies, no messages of foreign errors.

An unexpected error is logged by its type and the lines of code it came through: its message may hold
what a caller sent.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any

import structlog

_DEEPEST = 12


def configure() -> None:
    """Send our own log and uvicorn's to stderr as JSON lines."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_Forward()]
    root.setLevel(logging.WARNING)


def log() -> Any:
    """The logger of the API."""
    return structlog.get_logger()


def unexpected(error: BaseException) -> dict[str, Any]:
    """What may be told of an error that nobody foresaw: its type and where it happened."""
    frames = traceback.extract_tb(error.__traceback__)[-_DEEPEST:]
    return {"error": type(error).__name__, "at": [f"{f.filename}:{f.lineno} {f.name}" for f in frames]}


class _Forward(logging.Handler):
    """Libraries' warnings as our own events; an exception without its message."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        fields = unexpected(error) if error is not None else {}
        event = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        structlog.get_logger().log(record.levelno, event, logger=record.name, **fields)
