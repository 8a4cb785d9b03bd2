"""Where the demo keeps what it makes: a folder of its own, made anew each time."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from experiments.simulate import PLAYBOOK
from nba.errors import InvalidInput
from nba.playbook.compile import Playbook, load

MARK = ".nba-demo"
_FINISHED = "finished\n"
LISTENING = Path(__file__).with_name("listening.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The demo's folder; every command runs in it and finds things under their default names."""

    path: Path

    @classmethod
    def anew(cls, path: Path, starts: str = "2026-01-26T12:00:00Z") -> Folder:
        """Make it, in place of one that an earlier demo left.

        Args:
            starts: ISO 8601; when the playbook's experiment does.

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
        text = without_incumbent(PLAYBOOK.read_text("utf-8"))
        listening = LISTENING.read_text("utf-8").replace("{starts}", starts)
        folder.playbook.write_text(text + listening, encoding="utf-8")
        return folder

    def finish(self) -> None:
        """Note that the demo came to its end."""
        (self.path / MARK).write_text(_FINISHED, encoding="utf-8")

    @property
    def finished(self) -> bool:
        """Whether the demo that made it came to its end."""
        mark = self.path / MARK
        return mark.exists() and mark.read_text(encoding="utf-8") == _FINISHED

    @property
    def playbook(self) -> Path:
        """The world's playbook without the incumbent's rules, so that chance decides to begin with.

        A fixed rule says next to nothing about arms that it never picks, so the demo starts as a careful
        company would: with weeks in which every eligible arm is tried at known odds. What the rules would
        have earned, the world knows. Tickets, a trigger and an experiment are added. Features stay as they
        are, so that what is learned here can be tried on customers of the bare world.
        """
        return self.path / "playbook.yaml"

    @property
    def record(self) -> Path:
        """What the company has on record, as `nba ingest` is given it."""
        return self.path / "record.parquet"

    @property
    def reviews(self) -> Path:
        """Labelled texts, as `nba feedback train` is given them."""
        return self.path / "reviews.parquet"

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


def without_incumbent(playbook: str) -> str:
    """A playbook's text without its section `incumbent`, all else as written."""
    return re.sub(r"^incumbent:.*\n(?:[ #-].*\n)*", "", playbook, flags=re.MULTILINE)
