"""MLflow, loaded on first use with its telemetry off. The one module that imports mlflow.

Also how long anybody waits for it: its own client would retry a dead server for minutes and a dead database
for an hour, so whether it can be reached is asked first, and nothing is retried.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from nba.errors import InvalidInput, StoreUnavailable

KNOCK = 3.0  # seconds to wait for a first sign of life
_DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_FOR_PEOPLE = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "PGCONNECT_TIMEOUT": "5",
}
_CHATTY = (
    "alembic",
    "mlflow.store.db.utils",
    "mlflow.store.model_registry.abstract_store",
    "mlflow.tracking.fluent",
)
_FOR_LOOPS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # a repeated `create` would make a second run
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "60",
}
_REFUSALS = {
    "INVALID_PARAMETER_VALUE",
    "BAD_REQUEST",
    "MALFORMED_REQUEST",
    "RESOURCE_ALREADY_EXISTS",
    "INVALID_STATE",
}
_REFUSED = {400, 413, 422}


def load() -> Any:
    """The library. Settings that the environment has are kept."""
    for name, value in _FOR_PEOPLE.items():
        os.environ.setdefault(name, value)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    import mlflow

    return mlflow


def connect(uri: str) -> Any:
    """The library with its process-wide tracking address set to `uri`."""
    mlflow = load()
    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)  # which also sets the variable, and so every later tracker's default
    if before is None:
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    else:
        os.environ["MLFLOW_TRACKING_URI"] = before
    return mlflow


def client(uri: str) -> Any:
    """Runs and registry at `uri`, whatever the process-wide address is."""
    return load().MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def impatient() -> Iterator[None]:
    """Within, no request is retried and none waits for long. For the whole process, so for one thread."""
    load()
    before = {name: os.environ.get(name) for name in _FOR_LOOPS}
    os.environ.update(_FOR_LOOPS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def reached(uri: str) -> Iterator[None]:
    """What MLflow raises on the way is told as ours, so that callers can branch by it.

    Raises:
        InvalidInput: MLflow refuses what it was given, and always will.
        StoreUnavailable: anything else: it is down, too slow, or out of room.
    """
    try:
        yield
    except (InvalidInput, StoreUnavailable):
        raise
    except Exception as error:  # MLflow lets through whatever its database, server or disk raises
        detail = (str(error).splitlines() or [type(error).__name__])[0]
        if _refused(error):
            raise InvalidInput.of("run", f"MLflow at {shown(uri)} refuses it: {detail}") from None
        raise StoreUnavailable(f"MLflow at {shown(uri)} can't be used: {detail}") from None


def knock(uri: str, seconds: float = KNOCK) -> None:
    """Return if somebody answers at the address; a local file always does.

    Raises:
        StoreUnavailable: nobody does within so many seconds.
    """
    parts = urlsplit(uri)
    scheme = parts.scheme.partition("+")[0]
    with reached(uri):
        if scheme in ("http", "https"):
            _ask_health(uri, seconds)
        elif scheme in _DATABASE_PORTS and parts.hostname:
            address = parts.hostname, parts.port or _DATABASE_PORTS[scheme]
            socket.create_connection(address, timeout=seconds).close()


def shown(uri: str) -> str:
    """An address without its password."""
    password = urlsplit(uri).password
    return uri.replace(f":{password}@", ":***@") if password else uri


def _ask_health(uri: str, seconds: float) -> None:
    """Any answer will do, also a refusal: it is MLflow's own door that is tried, with its certificates."""
    load()
    rest = import_module("mlflow.utils.rest_utils")
    credentials = import_module("mlflow.tracking._tracking_service.utils").get_default_host_creds(uri)
    rest.http_request(credentials, "/health", "GET", timeout=seconds, max_retries=0, raise_on_status=False)


def _refused(error: Exception) -> bool:
    status = getattr(getattr(error, "response", None), "status_code", None)
    return getattr(error, "error_code", None) in _REFUSALS or status in _REFUSED
