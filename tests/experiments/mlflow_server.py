"""An MLflow server of our own on PostgreSQL, to stop and start: no other one is ever touched."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.stores.postgres import fresh_database

_PATIENCE = 180.0  # seconds for the first start, which makes 60 tables
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # nine processes more, for what we don't use
}


@dataclass(kw_only=True)
class MlflowServer:
    """One server on a database, a folder and a port of its own."""

    database: str
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when it answers."""
        command = [
            str(Path(sys.executable).with_name("mlflow")),
            "server",
            "--backend-store-uri",
            self.database,
            "--artifacts-destination",
            str(self.folder / "files"),
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--workers",
            "1",
        ]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **_SETTINGS},
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that its workers can be ended with it, and nobody else
            )
        self._wait(self.process)

    def kill(self) -> None:
        """As if it had died, with its workers."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and process.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                return
            time.sleep(0.2)
        log = (self.folder / "server.log").read_text()
        self.kill()
        raise AssertionError(f"MLflow's server does not start:\n{log[-3_000:]}")


@contextmanager
def mlflow_server(folder: Path) -> Iterator[MlflowServer]:
    """A running one; it and its database are gone at the end."""
    with fresh_database() as database:
        server = MlflowServer(database=database, folder=folder, port=free_port())
        try:
            server.start()
            yield server
        finally:
            server.kill()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port
