"""`make up`: API and console, learner, triggers and MLflow UI side by side, on what the demo left in ./demo.

Each is a process of its own, in a group of its own, with a log in the demo's folder; all end with this one.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nba.errors import CallOperator, InvalidInput, NbaError
from training.demo.commands import NBA, READY, environment, tail
from training.demo.folder import Folder

API, MLFLOW = ("NBA_UP_API_PORT", 8080), ("NBA_UP_MLFLOW_PORT", 5000)
_START_SECONDS, _DRAIN_SECONDS, _LOOK_SECONDS = 120.0, 15.0, 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where to listen, on 127.0.0.1."""

    api: int
    mlflow: int

    @classmethod
    def free(cls, environ: Mapping[str, str]) -> Ports:
        """Those that the environment names, or the usual ones.

        Raises:
            InvalidInput: one is no port, is taken, or is named twice.
        """
        found = cls(api=_port(environ, *API), mlflow=_port(environ, *MLFLOW))
        if found.api == found.mlflow:
            raise InvalidInput.of(MLFLOW[0], f"{found.api} is the API's port too; name another")
        for (name, _), port in ((API, found.api), (MLFLOW, found.mlflow)):
            _must_be_free(name, port)
        return found


@dataclass(slots=True, kw_only=True)
class Part:
    """One process. `needed`: without it there is nothing to look at, so that all end with it."""

    name: str
    command: Sequence[str]
    log: Path
    needed: bool = False
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self, folder: Folder) -> None:
        """In a group of its own: Ctrl-C reaches us alone, and what it starts itself can be ended with it."""
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                self.command,
                cwd=folder.path,
                env={**environment(folder), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def ended(self) -> int | None:
        """Its exit code, once it has ended."""
        return None if self.process is None else self.process.poll()

    def end(self, number: signal.Signals) -> None:
        """Signal it and all that it has started; gone already is as well."""
        if self.process is not None:
            with _gone_is_well():
                os.killpg(self.process.pid, number)

    def said(self) -> str:
        """How it ended, and the end of its log."""
        return f"{self.name} ended with {self.ended()}; the end of its log, {self.log}:\n{tail(self.log)}"


def parts(folder: Folder, ports: Ports) -> list[Part]:
    """What runs. Nothing is delivered by push, since the demo's playbook names no webhook."""
    mlflow = [str(Path(sys.executable).with_name("mlflow")), "ui", "--workers", "1"]
    mlflow += ["--backend-store-uri", folder.tracking]

    def part(name: str, log: str, *command: str, needed: bool = False) -> Part:
        return Part(name=name, command=command, log=folder.path / log, needed=needed)

    return [
        part("API", "api.log", *NBA, "serve", "--port", str(ports.api), needed=True),
        part("MLflow UI", "mlflow.log", *mlflow, "--host", "127.0.0.1", "--port", str(ports.mlflow)),
        part("learner", "learn.log", *NBA, "learn"),
        part("triggers", "trigger.log", *NBA, "trigger"),
    ]


def up(folder: Folder, ports: Ports, stop: Stop, say: Callable[[str], None]) -> None:
    """Start everything, say where it is, and stay until the API ends or a signal ends us.

    Raises:
        CallOperator: the API ended, or something did not come up; the detail has the end of its log.
        SystemExit: a signal asked us to.
    """
    if not folder.finished:
        say("up: this demo did not come to its end, so pages may be empty; `make demo` makes it anew")
    running = parts(folder, ports)
    with _all_ended(running):
        for part in running:
            part.start(folder)
        api, mlflow, learner, triggers = running
        _await(api, stop, lambda: READY in api.log.read_text(encoding="utf-8", errors="replace"))
        say(f"API        http://127.0.0.1:{ports.api}/docs; its log is {api.log}")
        say(f"Console    http://127.0.0.1:{ports.api}/console")
        _say_user(folder, say)
        _await(mlflow, stop, lambda: _answers(f"http://127.0.0.1:{ports.mlflow}/health"))
        say(f"MLflow UI  http://127.0.0.1:{ports.mlflow}; its log is {mlflow.log}")
        say(f"Learner    looks for what has matured; its log is {learner.log}")
        say(f"Triggers   looks for who has gone quiet; its log is {triggers.log}")
        say("Delivery   none: the playbook names no webhook; GET /v1/outbox has the messages")
        say("Ctrl-C ends all of it.")
        _watch(running, stop, say)


def _watch(running: Sequence[Part], stop: Stop, say: Callable[[str], None]) -> None:
    """Until a needed part ends; of others it is told, and the rest goes on."""
    told: set[str] = set()
    while True:
        for part in running:
            if part.ended() is not None and part.name not in told:
                told.add(part.name)
                if part.needed:
                    raise CallOperator(part.said())
                say(f"up: {part.said()}\nup: the rest goes on")
        stop.pause()


def _await(part: Part, stop: Stop, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not ready():
        if part.ended() is not None:
            raise CallOperator(part.said())
        if time.monotonic() > deadline:
            detail = f"{part.name} did not come up in {_START_SECONDS:.0f} seconds; the end of its log, "
            raise CallOperator(f"{detail}{part.log}:\n{tail(part.log)}")
        stop.pause()


def _say_user(folder: Folder, say: Callable[[str], None]) -> None:
    """The console needs a user: the first time there is one made, and its password said, once."""
    if os.environ.get("NBA_CONSOLE_USERS"):
        say("           for the users in the file that NBA_CONSOLE_USERS names")
        return
    if (folder.path / "console-users.json").exists():
        nba = Path(sys.executable).with_name("nba")
        say(f"           for the user demo; a new password: cd {folder.path} && {nba} console user add demo")
        return
    made = subprocess.run(
        [*NBA, "console", "user", "add", "demo", "--generate"],
        cwd=folder.path,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise CallOperator(f"no user could be added: {made.stderr.strip()}")
    say(f"           log in as demo, {made.stdout.splitlines()[-1]} (said this once)")


@contextmanager
def _all_ended(running: Sequence[Part]) -> Iterator[None]:
    """However the block ends, no process is left: first asked, then killed."""
    try:
        yield
    finally:
        for part in running:
            part.end(signal.SIGTERM)
        deadline = time.monotonic() + _DRAIN_SECONDS
        for part in running:
            if part.process is not None:
                try:
                    part.process.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    part.process.kill()
                    part.process.wait()
            part.end(signal.SIGKILL)  # what it started and left behind


@dataclass(slots=True, kw_only=True)
class Stop:
    """Asked to end by a signal: nothing is interrupted, so that no process is started and then forgotten."""

    number: int = 0
    _asked: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def on_signals(cls) -> Stop:
        """From now on the signals that ask a process to end are heard here."""
        stop = cls()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, stop._ask)
        return stop

    def _ask(self, number: int, frame: object) -> None:
        self.number = self.number or number
        self._asked.set()

    def pause(self) -> None:
        """Wait a moment. Raises SystemExit once asked to end."""
        if self._asked.wait(_LOOK_SECONDS):
            sys.exit(128 + self.number)


@contextmanager
def _gone_is_well() -> Iterator[None]:
    try:
        yield
    except ProcessLookupError:
        return


def _port(environ: Mapping[str, str], name: str, usual: int) -> int:
    text = environ.get(name) or str(usual)
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 65_535):
        raise InvalidInput.of(name, f"{text[:40]!r} is no port; name one from 1 to 65535")
    return int(text)


def _must_be_free(name: str, port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            mend = f"end what listens there, or name another: {name}={port + 1} make up"
            raise InvalidInput.of(name, f"port {port} is taken ({error.strerror}); {mend}") from None


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2.0) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def main() -> None:
    """Run in the folder that holds `demo`."""
    stop = Stop.on_signals()
    folder = Folder(path=Path("demo").resolve())
    try:
        if not (folder.playbook.exists() and (folder.path / "nba.db").exists()):
            raise InvalidInput.of("demo", "there is nothing to show yet; run `make demo` first")
        up(folder, Ports.free(os.environ), stop, lambda line: print(line, flush=True))
    except NbaError as error:
        print(f"up: {error.detail}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InvalidInput) else 1)


if __name__ == "__main__":
    main()
