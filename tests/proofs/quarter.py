"""A simulated quarter of the built-in world: API, learner and MLflow as processes, and what goes wrong."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from experiments.simulate import PLAYBOOK, World, day_start, history
from nba.errors import CallOperator
from nba.stores.open import open_store
from nba.stores.ports import Store
from nba.stores.sql.sqlite import SQLite
from nba.stores.sql.store import SqlStore
from tests.experiments.mlflow_server import MlflowServer
from training.demo.client import Client
from training.demo.commands import NBA
from training.demo.commands import run as nba
from training.demo.folder import Folder, without_incumbent
from training.demo.lives import Item, Lives, iso
from training.demo.past import past

PATIENCE = 600.0  # seconds that a step may take on a slow day; a quarter takes minutes in all
CUSTOMERS, HISTORY, SEED = 8_400, 60, 5
LEARNING = """
learning: {update: 1500, retrain: 7d, half_life: 21d}
health: {every: 7d, window: 7d, reference: 21d}
"""
EXPLORATION = "exploration: {explorer: squarecb, gamma: 10, ceiling: 0.4, floor: 0.2}"  # customers are few
PROMOTION = """
promotion:
  {level: 0.9, margin: 0.15, decisions: 5000, n_psi: 5, ramp: {steps: [0.25], customers: 150},
   guardrails: [{name: unsubscribes, count: unsubscribed, within: 2d, most: 0.1}]}
"""


@dataclass
class Program:
    """A process that is started, killed and started again."""

    command: list[str]
    folder: Path
    name: str
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / f"{self.name}.log").open("ab") as out:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, stdout=out, stderr=out, env=os.environ | self.environment
            )

    def end(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
            self.process.kill()
            self.process.wait()

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def told(self) -> str:
        return (self.folder / f"{self.name}.log").read_text(encoding="utf-8", errors="replace")


@dataclass
class Quarter:
    """The world, the programs and what a driver may do to them."""

    folder: Folder
    lives: Lives
    api: Program
    learner: Program
    mlflow: MlflowServer
    ports: dict[str, int]
    spoiled: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, path: Path) -> Quarter:
        """Everything there is before day 0, all programs running."""
        folder = Folder.anew(path / "quarter")
        text = without_incumbent(PLAYBOOK.read_text("utf-8"))
        text = text[: text.index("# A retrained policy may be")] + PROMOTION + LEARNING
        text = text.replace("clip: [-20, 150]", "clip: [-10, 60]")  # a week's baskets; tighter intervals
        text = re.sub(r"exploration: .*", EXPLORATION, text)
        # fewer arms, so that as few customers tell as much about each
        text = re.sub(r"(channels: \[[^]]*\],\s+timings: )\[[^]]*\]", r"\1[evening]", text)
        folder.playbook.write_text(text, encoding="utf-8")
        world = World.create(SEED, CUSTOMERS)
        recorded = history(world, HISTORY, SEED)
        past(world, recorded, HISTORY).write_parquet(folder.record)
        database = SQLite(Path(folder.store.removeprefix("sqlite:///")))
        SqlStore(database, clock="request", secret=bytes(32)).close()  # the same draws each time
        nba(folder, "ingest", "ingest", str(folder.record), "--as-of", iso(day_start(0)))
        ports = {name: _free_port() for name in ("api", "mlflow")}
        environment = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{ports['mlflow']}"}
        spoiled: set[int] = set()
        quarter = cls(
            folder=folder,
            lives=Lives(
                world,
                recorded.state,
                tuple(folder.load().spec.objectives.outcomes),
                SEED,
                daily=True,
                measures=True,
                spoil=lambda day, item: _negated(item) if day in spoiled else item,
            ),
            api=Program(
                [*NBA, "serve", "--clock", "request", "--port", str(ports["api"])],
                folder.path,
                "serve",
                environment,
            ),
            learner=Program(
                [*NBA, "learn", "--every", "0.2", "--learner", "ridge", "--folds", "2"],
                folder.path,
                "learn",
                environment,
            ),
            mlflow=MlflowServer(database=folder.tracking, folder=folder.path, port=ports["mlflow"]),
            ports=ports,
            spoiled=spoiled,
        )
        quarter.mlflow.start()
        for program in (quarter.api, quarter.learner):
            program.start()
        quarter.up("api", "/readyz")
        return quarter

    def live(self, days: int, advance: Callable[[int], object] = lambda count: None) -> None:
        """So many days; after each the learner has seen all of it."""
        for _ in range(days):
            with closing(Client("127.0.0.1", self.ports["api"])) as client:
                self.lives.live(client, 1, advance)
            self.learned()

    def told(self) -> list[dict[str, Any]]:
        """What the learner logged."""
        found = []
        for line in self.learner.told().splitlines():
            with suppress(ValueError):  # what libraries say
                found.append(json.loads(line))
        return found

    def learned(self) -> None:
        """Until the learner has been through a cycle that saw everything."""
        with closing(open_store(self.folder.store)) as store:
            latest = store.latest()
            self._until(lambda: _cycle(store) >= latest, "the learner did not come to the end of the day")

    def up(self, name: str, path: str) -> None:
        self._until(lambda: _answers(self.ports[name], path), f"{name} did not come up")

    def store(self) -> Store:
        return open_store(self.folder.store)

    def end(self) -> None:
        for program in (self.learner, self.api):
            program.end()
        self.mlflow.kill()

    def _until(self, so: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not so():
            for program in (self.api, self.learner):
                if not program.runs:
                    raise CallOperator(f"{program.name} ended:\n{program.told()[-3_000:]}")
            if time.monotonic() > deadline:
                raise CallOperator(f"{what}\n{self.learner.told()[-3_000:]}")
            time.sleep(0.05)


def _cycle(store: Store) -> float:
    """The moment of the last cycle that was completed."""
    told = store.kept("learn.cycle")
    return float("-inf") if told is None else float(orjson.loads(told)["moment"])


def _negated(item: Item) -> Item:
    return {**item, "value": -item["value"]} if item["type"] == "purchase" else item


def _answers(port: int, path: str) -> bool:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
            connection.request("GET", path)
            return connection.getresponse().status == 200
    except OSError:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port
