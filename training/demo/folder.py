"""Where the demo keeps what it makes: a folder of its own, made anew each time."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from experiments.simulate import PLAYBOOK
from nba.errors import InvalidInput
from nba.playbook.compile import Playbook, load

MARK = ".nba-demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The demo's folder; every command runs in it and finds things under their default names."""

    path: Path

    @classmethod
    def anew(cls, path: Path) -> Folder:
        """Make it, in place of one that an earlier demo left.

        Raises:
            InvalidInput: something else is there.
        """
        if path.exists() and not (path / MARK).is_file() and (not path.is_dir() or any(path.iterdir())):
            raise InvalidInput.of("directory", f"{path} holds something else; name another with --directory")
        if path.exists():
            shutil.rmtree(path)
        path.mkdir(parents=True)
        (path / MARK).touch()
        folder = cls(path=path.resolve())
        folder.playbook.write_text(PLAYBOOK.read_text(encoding="utf-8"), encoding="utf-8")
        folder.pilot.write_text(_without_incumbent(PLAYBOOK), encoding="utf-8")
        return folder

    @property
    def playbook(self) -> Path:
        return self.path / "playbook.yaml"

    @property
    def pilot(self) -> Path:
        """The playbook of the pilot: without the incumbent's rules, so that chance decides.

        A fixed rule says next to nothing about arms that it never picks, so the demo begins as a careful
        company would: with weeks in which every eligible arm is tried at known odds.
        """
        return self.path / "pilot.yaml"

    @property
    def record(self) -> Path:
        """What the company has on record, as `nba ingest` is given it."""
        return self.path / "record.parquet"

    @property
    def history(self) -> Path:
        return self.path / "history"

    @property
    def artefacts(self) -> Path:
        return self.path / "artefacts"

    @property
    def store(self) -> str:
        """The store's URL."""
        return f"sqlite:///{self.path / 'nba.db'}"

    @property
    def tracking(self) -> str:
        """MLflow's URL."""
        return f"sqlite:///{self.path / 'mlflow.db'}"

    def report(self, step: str) -> Path:
        """Where a step's command writes its JSON."""
        return self.path / f"{step}.json"

    def load(self) -> Playbook:
        return load(self.playbook)


def _without_incumbent(path: Path) -> str:
    book = yaml.safe_load(path.read_text(encoding="utf-8"))
    del book["incumbent"]
    return yaml.safe_dump(book, sort_keys=False)
