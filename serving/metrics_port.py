"""Prometheus metrics of a process that serves nothing else, on a port of its own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, start_http_server

from nba.errors import InvalidInput


def serve_metrics(port: int, registry: CollectorRegistry) -> None:
    """On 127.0.0.1, from a thread, until the process ends. Raises InvalidInput where the port is taken."""
    try:
        start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as error:
        detail = f"{port} can't be listened on ({error.strerror}); name another"
        raise InvalidInput.of("metrics-port", detail) from None
