"""Servers to talk to: the app over real HTTP in this process, and `nba serve` in one of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from nba.artefacts import Artefacts
from nba.live import LiveSource
from nba.observer import Observer
from nba.playbook.compile import Playbook, load
from nba.service import Service
from nba.stores.memory import MemoryStore
from nba.stores.ports import Clock, Store
from serving.app import create_app
from serving.wiring import Alert, Parts, Wiring
from serving.worker import configuration

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "nba" / "playbook" / "sample.yaml"
Connect = Callable[[], httpx.Client]
SECRET = bytes(32)  # so that the same customers are in the treatment group in every run
_SERVE = "import typer; from serving.commands.serve import serve; typer.run(serve)"


def sample() -> Playbook:
    return load(SAMPLE)


def wiring(
    folder: Path,
    *,
    store: Store | None = None,
    playbook: Playbook | None = None,
    clock: Clock = "live",
    service: type[Service] = Service,
    refresh_seconds: float = 0.05,
) -> Wiring:
    """The real engine on a store in memory, unless told otherwise."""

    @contextmanager
    def parts(alert: Alert, observer: Observer) -> Iterator[Parts]:
        ours = store or MemoryStore(clock, secret=SECRET)
        book = playbook or sample()
        live = LiveSource(playbook=book, store=ours, artefacts=Artefacts(folder), alert=alert)
        yield Parts(service=service(store=ours, live=live, observer=observer), store=ours, live=live)

    return Wiring(open=parts, refresh_seconds=refresh_seconds)


@contextmanager
def served(wired: Wiring) -> Iterator[httpx.Client]:
    """A client of the app, served by uvicorn in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(configuration(create_app(wired)))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        until = time.monotonic() + 10
        while not server.started and thread.is_alive() and time.monotonic() < until:
            time.sleep(0.005)
        with client(f"http://127.0.0.1:{listener.getsockname()[1]}") as connected:
            yield connected
    finally:
        server.should_exit = True
        thread.join(15)
        listener.close()


def client(address: str) -> httpx.Client:
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    return httpx.Client(base_url=address, timeout=20, trust_env=False, limits=limits)


class Serve:
    """`nba serve` as a process of its own, in `folder`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        (folder / "playbook.yaml").write_bytes(SAMPLE.read_bytes())
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, *options],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=(folder / "stderr.txt").open("ab"),
            text=True,
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline().strip()
        self.address = self.line.removeprefix("serving on ")

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(12)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(5)


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Serve]:
    serve = Serve(folder, "--port", "0", *options)
    try:
        assert serve.line.startswith("serving on http://"), (folder / "stderr.txt").read_text()
        yield serve
    finally:
        if serve.process.poll() is None:
            serve.end()


def consented(http: httpx.Client, customer_id: str) -> None:
    """The customer agrees to marketing on every channel."""
    event = {
        "event_id": f"consent-{customer_id}",
        "customer_id": customer_id,
        "type": "consent",
        "properties": {"purpose": "marketing", "granted": True},
    }
    answer = http.post("/v1/events", json={"events": [event]})
    assert answer.json() == {"accepted": 1, "duplicates": 0, "rejected": []}


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem document of an answer that has to be one."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    document: dict[str, Any] = answer.json()
    assert set(document) >= {"type", "title", "status", "detail"}
    assert document["status"] == status
    return document


def lines(http: httpx.Client) -> list[str]:
    """The metrics page."""
    return http.get("/metrics").text.splitlines()


def value(page: list[str], name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    samples = [line for line in page if line.split("{")[0].split(" ")[0] == name]
    return sum(float(s.rpartition(" ")[2]) for s in samples if all(want in s for want in wanted))
