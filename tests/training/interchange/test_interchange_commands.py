"""`nba export` and `nba import`: from one store on disk to another, and what they refuse."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from nba.errors import InvalidInput
from nba.stores.open import open_store
from tests.training.interchange.logs import decisions, shop
from tests.training.policy.shop import TEXT
from training.commands.export import export
from training.commands.import_ import import_log

AS_OF = "2025-06-23T16:00:00Z"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the shop's playbook and store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NBA_STORE_URL", raising=False)
    (tmp_path / "playbook.yaml").write_text(TEXT, encoding="utf-8")
    with closing(open_store(f"sqlite:///{tmp_path}/nba.db", "request")) as store:
        shop(store, customers=30)
    return tmp_path


@pytest.mark.parametrize("format", ["parquet", "dsjson"])
def test_a_log_goes_out_of_one_store_and_into_a_new_one(
    folder: Path, capsys: pytest.CaptureFixture[str], format: str
) -> None:
    export(folder / "log", format=format, as_of=AS_OF, json_file=folder / "out.json")
    told = json.loads((folder / "out.json").read_text())
    new = f"sqlite:///{folder}/new.db"
    if format == "dsjson":
        open_store(new, "request").close()
    import_log(folder / "log", store=new, json_file=folder / "in.json")
    received = json.loads((folder / "in.json").read_text())
    assert told["decisions"] == received["decisions"]["accepted"] > 0
    assert f"accepted {told['decisions']}  duplicates 0  rejected 0" in capsys.readouterr().out
    with closing(open_store(new)) as store:
        assert store.clock == "request"
        assert len(decisions(store)) == told["decisions"]
    assert not (folder / "log.quarantine.jsonl").exists()


def test_what_is_asked_for_wrongly_is_named(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="as-of: is needed"):
        export(folder / "log")
    with pytest.raises(InvalidInput, match="format: is parquet or dsjson"):
        export(folder / "log", format="csv")
    with pytest.raises(InvalidInput, match="there is no"):
        import_log(folder / "nothing")
    (folder / "empty").mkdir()
    with pytest.raises(InvalidInput, match="no whole export"):
        import_log(folder / "empty", store=f"sqlite:///{folder}/new.db")
    assert not (folder / "new.db").exists()
    (folder / "bad.dsjson").write_text("{\n")
    with pytest.raises(InvalidInput, match="no decision could be taken"):
        import_log(folder / "bad.dsjson")
    assert json.loads((folder / "bad.dsjson.quarantine.jsonl").read_text())["line"] == 1
    with pytest.raises(InvalidInput, match="is THEIRS=ARM"):
        import_log(folder / "bad.dsjson", map=["x"])
