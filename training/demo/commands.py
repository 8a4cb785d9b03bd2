"""Run `nba` commands as a user would: in processes of their own, in the demo's folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from nba.errors import CallOperator
from training.demo.folder import Folder

NBA = (sys.executable, "-P", "-c", "from nba.cli import main; main()")  # what the script `nba` does
READY = "serving on http://"
_START_SECONDS, _DRAIN_SECONDS = 60.0, 15.0
_TAIL = 15


def run(folder: Folder, step: str, *arguments: str) -> dict[str, Any]:
    """Run `nba <arguments> --json …` to its end and return what it wrote; its output goes to a log.

    Raises:
        CallOperator: it failed; the detail has the end of its log.
    """
    return run_together(folder, {step: arguments})[step]


def run_together(folder: Folder, steps: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Any]]:
    """Several at once, by step; no two may write the same. Raises CallOperator likewise, all ended."""
    with ExitStack() as ended:
        running = {
            step: ended.enter_context(
                _running(folder, step, [*arguments, "--json", str(folder.report(step))])
            )
            for step, arguments in steps.items()
        }
        for step, process in running.items():
            _succeeded(folder, step, steps[step], process.wait())
    return {step: json.loads(folder.report(step).read_text(encoding="utf-8")) for step in steps}


def said(folder: Folder, step: str, *arguments: str) -> str:
    """Run `nba <arguments>` to its end and return what it printed. Raises CallOperator likewise."""
    with _running(folder, step, arguments) as process:
        _succeeded(folder, step, arguments, process.wait())
    return _log(folder, step).read_text(encoding="utf-8", errors="replace")


@contextmanager
def _running(folder: Folder, step: str, arguments: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """`nba <arguments>`, its output in a log; ended with the block."""
    with _log(folder, step).open("wb") as out:
        process = subprocess.Popen(
            [*NBA, *arguments], cwd=folder.path, env=environment(folder), stdout=out, stderr=out
        )
    with _ended(process):
        yield process


def _succeeded(folder: Folder, step: str, arguments: Sequence[str], code: int) -> None:
    if code != 0:
        shown = f"`nba {' '.join(arguments)}` ended with {code}"
        raise CallOperator(f"{shown}:\n{tail(_log(folder, step))}")


def _log(folder: Folder, step: str) -> Path:
    return folder.path / f"{step}.log"


@contextmanager
def serving(folder: Folder) -> Iterator[tuple[str, int]]:
    """A server on a free port, on the request clock: its host and port. It is ended with the block.

    Raises:
        CallOperator: it did not come up; the detail has the end of its log.
    """
    with _running(folder, "serve", ("serve", "--clock", "request", "--port", "0")) as process:
        yield _address(process, _log(folder, "serve"))


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever happens in the block, also Ctrl-C: the process is gone after it."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_DRAIN_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> tuple[str, int]:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        ready = [line for line in lines if line.startswith(READY) and line.endswith("\n")]
        if ready:
            host, _, port = ready[0].strip().removeprefix(READY).rpartition(":")
            return host, int(port)
        time.sleep(0.05)
    raise CallOperator(f"`nba serve` did not come up:\n{tail(log)}")


def environment(folder: Folder) -> dict[str, str]:
    """Ours, but for the places: the demo writes to its own folder alone."""
    places = {"NBA_STORE_URL": folder.store, "MLFLOW_TRACKING_URI": folder.tracking}
    return {**os.environ, **places, "PYTHONUNBUFFERED": "1"}


def tail(log: Path) -> str:
    lines: Sequence[str] = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_TAIL:])
