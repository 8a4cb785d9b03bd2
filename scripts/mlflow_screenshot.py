"""A picture of MLflow's UI for the docs: runs of an experiment, compared.

    python scripts/mlflow_screenshot.py sqlite:///demo/mlflow.db docs/images

Starts an MLflow server of its own on that database, and Chromium without a window; ends both. Needs Chromium
(Debian: apt-get install chromium).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from experiments.tracking import Tracker

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
SIZE = "1900,1150"
LOADING = 25_000  # milliseconds of the page's own time; its figures come by further requests
PATIENCE = 120.0  # seconds for each of the two programs


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("database", help="sqlite:///PATH or another address of MLflow's database")
    parser.add_argument("folder", type=Path, help="where the picture goes")
    parser.add_argument("--experiment", default="policy")
    parser.add_argument("--runs", type=int, default=5, help="how many of the newest are compared")
    chosen = parser.parse_args()
    runs = Tracker(chosen.database).runs(chosen.experiment)[: chosen.runs]
    if len(runs) < 2:
        sys.exit(f"{chosen.experiment} has {len(runs)} runs; two or more can be compared")
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with served(chosen.database) as address:
        experiment = experiment_id(address, chosen.experiment)
        file = chosen.folder / f"mlflow-{chosen.experiment}-compared.png"
        photograph(f"{address}/#{compare_page(experiment, runs)}", file)
        print(file)


def compare_page(experiment: str, runs: Sequence[dict[str, object]]) -> str:
    """MLflow's own comparison of these runs, oldest first."""
    ids = quote(json.dumps([run["run_id"] for run in reversed(runs)]))
    return f"/compare-runs?runs={ids}&experiments={quote(json.dumps([experiment]))}"


def experiment_id(address: str, name: str) -> str:
    found = f"{address}/api/2.0/mlflow/experiments/get-by-name?experiment_name={quote(name)}"
    with urllib.request.urlopen(found, timeout=30) as answer:
        return str(json.load(answer)["experiment"]["experiment_id"])


@contextmanager
def served(database: str) -> Iterator[str]:
    """The address of a server on the database, for as long as it is needed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [Path(sys.executable).with_name("mlflow"), "server", "--backend-store-uri", database]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with tempfile.TemporaryDirectory() as scratch:
        server = subprocess.Popen(
            command,
            cwd=scratch,
            env={**os.environ, **quiet},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/health", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()


def wait_for(page: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        with suppress(OSError), urllib.request.urlopen(page, timeout=1):
            return
        time.sleep(0.2)
    sys.exit(f"{page} does not answer")


def photograph(page: str, file: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("there is no Chromium; on Debian: apt-get install chromium")
    with tempfile.TemporaryDirectory() as profile:
        options = [f"--user-data-dir={profile}", f"--window-size={SIZE}", f"--screenshot={file.resolve()}"]
        command = [browser, *QUIET, *options, f"--virtual-time-budget={LOADING}", page]
        subprocess.run(command, check=True, timeout=PATIENCE, capture_output=True)


if __name__ == "__main__":
    main()
