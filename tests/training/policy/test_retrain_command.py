"""`nba retrain`: what it refuses before it starts, and what it writes."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from nba.errors import InvalidInput
from nba.stores.open import open_store
from tests.training.policy.shop import TEXT, by_taste, open_shop, trade
from training.commands.retrain import retrain


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the shop's playbook and an empty simulation store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    (tmp_path / "playbook.yaml").write_text(TEXT, encoding="utf-8")
    open_store(f"sqlite:///{tmp_path}/nba.db", "request").close()
    return tmp_path


def test_a_learner_that_there_is_not_is_named_with_those_there_are(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="there is no learner 'rigde'; there are ridge"):
        retrain(learner=["rigde"], store=f"sqlite:///{folder}/nba.db")


def test_a_simulation_store_wants_a_moment(folder: Path) -> None:
    for moment, detail in ((None, "request clock"), ("soon", "as-of")):
        with pytest.raises(InvalidInput, match=detail) as error:
            retrain(as_of=moment, store=f"sqlite:///{folder}/nba.db")
        assert error.value.errors[0].field == "as-of"


def test_its_figures_are_written_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{folder}/nba.db"
    with closing(open_store(url)) as store:
        trade(open_shop(store), 400, by_taste)
    file = folder / "out.json"
    retrain(store=url, as_of="2025-06-22T12:00:00Z", folds=2, learner=["ridge"], json_file=file)
    figures = json.loads(file.read_text(encoding="utf-8"))
    assert (figures["specification"], figures["champion"]) == ("ridge", "uniform@0")
    assert figures["published"]["who"] == "nba retrain"
    assert "published ridge@1" in capsys.readouterr().out
