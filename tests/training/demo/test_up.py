"""`make up` for real: four processes on a store of the demo's kind, and none of them is left behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from nba.stores.open import open_store
from training.demo.folder import Folder

UP = (sys.executable, "-P", "-m", "training.demo.up")
LAST = "Ctrl-C ends all of it."
_SECONDS = 240.0


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A demo that has only just begun: a playbook and a store in which nothing has happened."""
    made = Folder.anew(tmp_path / "demo")
    open_store(made.store, "request").close()
    return made


@pytest.fixture
def ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        for listener in (one, two):
            listener.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


class Up:
    """`make up` in the folder above the demo's, and what it has printed."""

    def __init__(self, folder: Folder, ports: tuple[int, int]) -> None:
        self.folder = folder.path
        self.printed = self.folder.parent / "printed.log"
        named = {"NBA_UP_API_PORT": str(ports[0]), "NBA_UP_MLFLOW_PORT": str(ports[1])}
        named["NBA_CONSOLE_USERS"] = ""
        with self.printed.open("wb") as out:
            self.process = subprocess.Popen(
                UP, cwd=self.folder.parent, env={**os.environ, **named}, stdout=out, stderr=out
            )

    def says(self, text: str) -> str:
        """All that it has printed, once it has printed this."""
        until = time.monotonic() + _SECONDS
        while text not in (printed := self.printed.read_text(encoding="utf-8")):
            assert time.monotonic() < until, f"it did not say {text!r} but {printed}"
            assert self.process.poll() is None or text in self.printed.read_text(), printed
            time.sleep(0.1)
        return printed

    def ends(self) -> tuple[int, str]:
        """Its exit code, and all that it has printed."""
        return self.process.wait(_SECONDS), self.printed.read_text(encoding="utf-8")

    def running(self) -> dict[int, str]:
        """Processes that live in the demo's folder, by id: their command lines."""
        found = {}
        for process in Path("/proc").iterdir():
            try:
                if process.name.isdecimal() and (process / "cwd").readlink() == self.folder:
                    command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(process.name)] = command
            except OSError:  # gone meanwhile, or somebody else's
                continue
        return {pid: command for pid, command in found.items() if command}  # a zombie has none

    def kill(self, words: str) -> None:
        """SIGKILL to the one whose command line has these words and to all that it started."""
        leader = min(pid for pid, command in self.running().items() if words in command)
        os.killpg(leader, signal.SIGKILL)


@pytest.fixture
def up(folder: Folder, ports: tuple[int, int]) -> Iterator[Up]:
    running = Up(folder, ports)
    yield running
    running.process.terminate()
    running.process.wait(_SECONDS)
    assert running.running() == {}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "term"])
def test_all_answer_where_it_says_and_all_end_with_it(
    up: Up, ports: tuple[int, int], number: signal.Signals
) -> None:
    printed = up.says(LAST)
    assert "this demo did not come to its end" in printed
    password = re.findall(r"log in as demo, password: (\S+)", printed)[0]
    with httpx.Client(base_url=f"http://127.0.0.1:{ports[0]}", timeout=60) as http:
        assert http.get("/docs").status_code == 200
        form = re.findall(r'name="token" value="([^"]+)"', http.get("/console/login").text)[0]
        filled = {"token": form, "name": "demo", "password": password}
        assert http.post("/console/login", data=filled).status_code == 303
        assert http.get("/console").status_code == 200
    assert httpx.get(f"http://127.0.0.1:{ports[1]}/", timeout=60).status_code == 200
    commands = " ".join(up.running().values())
    assert all(word in commands for word in (" serve ", " learn", " trigger", "mlflow"))
    up.process.send_signal(number)
    assert up.ends()[0] == 128 + number
    assert up.running() == {}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_ends_early_is_named_with_its_log_and_all_end_with_the_api(up: Up) -> None:
    up.says(LAST)
    up.kill(" trigger")
    printed = up.says("the rest goes on")
    assert f"up: triggers ended with -9; the end of its log, {up.folder / 'trigger.log'}" in printed
    assert up.process.poll() is None
    up.kill(" serve ")
    code, printed = up.ends()
    assert code == 1
    assert f"up: API ended with -9; the end of its log, {up.folder / 'api.log'}" in printed
    assert up.running() == {}


def test_a_port_that_is_taken_is_said_before_anything_starts(folder: Folder, ports: tuple[int, int]) -> None:
    with closing(socket.create_server(("127.0.0.1", ports[1]))):
        code, printed = Up(folder, ports).ends()
    assert code == 2
    assert f"NBA_UP_MLFLOW_PORT: port {ports[1]} is taken" in printed
    assert f"NBA_UP_MLFLOW_PORT={ports[1] + 1} make up" in printed
    assert not (folder.path / "api.log").exists()


@pytest.mark.parametrize(("named", "said"), [("80a", "is no port"), ("5000", "is the API's port too")])
def test_a_port_that_can_not_be_is_told(folder: Folder, named: str, said: str) -> None:
    env = {**os.environ, "NBA_UP_API_PORT": named, "NBA_UP_MLFLOW_PORT": "5000"}
    done = subprocess.run(UP, cwd=folder.path.parent, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr


def test_without_a_demo_it_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(UP, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (
        2,
        "up: demo: there is nothing to show yet; run `make demo` first",
    )
