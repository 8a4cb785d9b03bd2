"""Several workers on one port: starts them, starts another where one dies, ends them all on SIGTERM."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from types import FrameType

from prometheus_client import multiprocess

from nba.errors import CallOperator
from serving.logs import configure, log
from serving.metrics import SHARED_FOLDER
from serving.wiring import Settings

_GRACE_SECONDS = 9.5
_START_SECONDS = 60.0
_LOOK_SECONDS = 0.1
_PAUSE_SECONDS = 1.0  # between a worker's death and the next one's start


def supervise(settings: Settings, listener: socket.socket, workers: int, ready: Callable[[], None]) -> None:
    """Serve with `workers` processes until SIGTERM or SIGINT; drained within ten seconds.

    Raises:
        CallOperator: a worker could not start at all.
    """
    configure()
    stop = threading.Event()

    def stopping(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stopping)
    with tempfile.TemporaryDirectory(prefix="nba-metrics-") as metrics:
        crew = _Crew(settings, listener, metrics)
        try:
            crew.start(workers, stop)
            ready()
            crew.watch(stop)
        finally:
            crew.end()


class _Crew:
    """The worker processes."""

    def __init__(self, settings: Settings, listener: socket.socket, metrics: str) -> None:
        self._settings = json.dumps(asdict(settings))
        self._listener = listener
        self._metrics = metrics
        self._alive, self._held = os.pipe()  # closes with this process, whatever ends it
        self._workers: list[subprocess.Popen[bytes]] = []

    def start(self, workers: int, stop: threading.Event) -> None:
        """Start them and wait until each can be called."""
        signs = [self._hire() for _ in range(workers)]
        until = time.monotonic() + _START_SECONDS
        for sign in signs:
            _wait_for(sign, until, stop)

    def watch(self, stop: threading.Event) -> None:
        while not stop.wait(_LOOK_SECONDS):
            dead = [worker for worker in self._workers if worker.poll() is not None]
            for worker in dead:
                self._workers.remove(worker)
                log().error("worker_died", worker=worker.pid, code=worker.returncode)
                multiprocess.mark_process_dead(worker.pid, self._metrics)  # type: ignore[no-untyped-call]
            if dead and not stop.wait(_PAUSE_SECONDS):
                for _ in dead:
                    os.close(self._hire())

    def end(self) -> None:
        """Let them drain; what is not gone by then is killed."""
        for worker in self._workers:
            worker.terminate()
        until = time.monotonic() + _GRACE_SECONDS
        for worker in self._workers:
            try:
                worker.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()

    def _hire(self) -> int:
        """Start one; the descriptor given back becomes readable when it is ready, or gone."""
        sign, ready = os.pipe()
        socket_number = self._listener.fileno()
        descriptors = [socket_number, ready, self._alive]
        arguments = [sys.executable, "-m", "serving.worker", self._settings, *map(str, descriptors)]
        environment = {**os.environ, SHARED_FOLDER: self._metrics}
        worker = subprocess.Popen(arguments, pass_fds=descriptors, env=environment, start_new_session=True)
        os.close(ready)
        self._workers.append(worker)
        return sign


def _wait_for(sign: int, until: float, stop: threading.Event) -> None:
    """Raises CallOperator where the worker ended before it was ready, or took too long."""
    readable: list[int] = []
    while not readable and not stop.is_set() and time.monotonic() < until:
        readable = select.select([sign], [], [], _LOOK_SECONDS)[0]
    came = bool(readable) and os.read(sign, 1) == b"r"
    os.close(sign)
    if not came and not stop.is_set():
        raise CallOperator("a worker could not start; its own lines above say why")
