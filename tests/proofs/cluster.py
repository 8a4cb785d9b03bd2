"""A PostgreSQL server of our own, to stop and start: no other one is ever touched."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_PROGRAMS = Path("/usr/lib/postgresql")
_USERS = ("postgres", "nobody")  # PostgreSQL refuses to run as root
_DATABASE = "postgres"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One server on a port and in a folder of its own; `user` None is whoever runs the tests."""

    programs: Path
    folder: Path
    port: int
    user: str | None

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://{_DATABASE}@127.0.0.1:{self.port}/{_DATABASE}"

    def make(self) -> None:
        self._run("initdb", "--auth=trust", f"--username={_DATABASE}", "--locale=C", "--encoding=UTF8")

    def start(self) -> None:
        """Returns when it takes connections; with what was there before, by crash recovery."""
        settings = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        self._run("pg_ctl", "start", "--wait", f"--log={self.folder / 'log'}", f"--options={settings}")

    def stop(self) -> None:
        """As if it had died: no checkpoint, connections broken off."""
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    @property
    def runs(self) -> bool:
        return (self.folder / "data" / "postmaster.pid").exists()

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self.programs / program, f"--pgdata={self.folder / 'data'}", *arguments],
            cwd=self.folder,
            user=self.user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # no pipe: the server would keep it open
            stderr=(self.folder / "stderr.txt").open("ab"),
            timeout=120,
        )
        assert done.returncode == 0, (self.folder / "stderr.txt").read_text()


@contextmanager
def private_cluster() -> Iterator[Cluster]:
    """A running one, gone at the end. Where none can be made the test is skipped, which under CI fails."""
    cluster = Cluster(
        programs=_programs(),
        folder=Path(tempfile.mkdtemp(prefix="nba-pg-")),
        port=_free_port(),
        user=_user(),
    )
    try:
        if cluster.user is not None:
            shutil.chown(cluster.folder, cluster.user)
        cluster.make()
        cluster.start()
        yield cluster
    finally:
        if cluster.runs:
            cluster.stop()
        shutil.rmtree(cluster.folder)


def _programs() -> Path:
    """Where initdb and pg_ctl are: on the path, or the newest that Debian has put aside."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).parent
    versions = [path for path in _PROGRAMS.glob("*/bin") if (path / "initdb").exists()]
    if not versions:
        impossible(f"there is no initdb on the path or in {_PROGRAMS}; install PostgreSQL's server")
    return max(versions, key=lambda path: float(path.parent.name))


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    there = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _USERS if name in there)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def impossible(reason: str) -> None:
    """Skip, or under CI fail, where a proof would be missing unseen."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
