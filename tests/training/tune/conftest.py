"""Six weeks of a small shop on disk: traded once, copied for whoever changes something beside it."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from nba.stores.open import open_store
from tests.service.business import DAY, NOON
from tests.training.policy.shop import TEXT, by_taste, open_shop, trade
from training.tune.run import Place

WEEKS, CUSTOMERS = 6, 220
AS_OF = NOON + (8 * WEEKS + 8) * DAY


@pytest.fixture(scope="session")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shop's playbook and store; not to be written to."""
    folder = tmp_path_factory.mktemp("traded")
    (folder / "playbook.yaml").write_text(TEXT, encoding="utf-8")
    with closing(open_store(f"sqlite:///{folder}/nba.db", "request")) as store:
        shop = open_shop(store)
        for week in range(WEEKS):
            trade(shop, CUSTOMERS, by_taste, day=8 * week, seed=week)
    return folder


@pytest.fixture
def place(traded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy of it, with studies of its own and a tracker that is nobody else's."""
    for file in traded.iterdir():
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    return Place(
        playbook=tmp_path / "playbook.yaml",
        store=f"sqlite:///{tmp_path}/nba.db",
        storage=f"sqlite:///{tmp_path}/tuning.db",
        as_of=AS_OF,
    )
