"""Servers that share a store, and how they are killed: with all that belongs to them, at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.serving.running import Serve, serving

GONE_SECONDS = 20.0


@contextmanager
def side_by_side(folder: Path, url: str, count: int, *options: str) -> Iterator[list[Serve]]:
    """`count` servers, none of which knows of the others, on one store."""
    with ExitStack() as stack:
        yield [stack.enter_context(alone(folder / f"server-{i}", url, *options)) for i in range(count)]


@contextmanager
def alone(folder: Path, url: str, *options: str) -> Iterator[Serve]:
    """One server in `folder`, which is made where it is missing."""
    folder.mkdir(exist_ok=True)
    with serving(folder, "--store", url, *options) as server:
        yield server


def kill_9(server: Serve) -> None:
    """SIGKILL to the server and every worker of it; returns when none is there."""
    pids = [server.process.pid, *workers(server)]
    for pid in pids:
        with suppress(ProcessLookupError):  # a worker ends by itself when it sees its supervisor gone
            os.kill(pid, signal.SIGKILL)
    server.process.wait(GONE_SECONDS)
    until = time.monotonic() + GONE_SECONDS
    while any(map(_runs, pids)):
        assert time.monotonic() < until, "a killed process is still there"
        time.sleep(0.005)


def workers(server: Serve) -> list[int]:
    """Process ids of the workers that a supervisor started; none where the server is its own worker."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return [int(pid) for pid in children.read_text().split()]


def _runs(pid: int) -> bool:
    """Whether it can still do anything; a zombie can't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
