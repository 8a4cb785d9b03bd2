"""`nba ingest` as typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from nba.errors import InvalidInput, NbaError
from tests.training.ingest.look import quarantined, rows
from training.commands.ingest import ingest


def _run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    app.command()(ingest)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, NbaError):
        raise result.exception
    return result


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("id,at\nc1,2026-01-05\nc 2,2026-01-05\nc3,2026-01-07\n")
    (tmp_path / "m.yaml").write_text("sources: [{customer: id, type: {constant: visit}, time: at}]")
    return tmp_path


def test_it_writes_history_quarantine_and_report(home: Path) -> None:
    result = _run("a.csv", "--mapping", "m.yaml", "--as-of", "2026-02-01", "--json", "report.json")
    assert result.exit_code == 0
    assert "read 3  accepted 2  duplicates 0  quarantined 1" in result.stdout
    report = json.loads((home / "report.json").read_text())
    assert (report["read"], report["accepted"], report["duplicates"]) == (3, 2, 0)
    assert report["quarantined"] == {"customer: not 1 to 128 of A-Z a-z 0-9 . _ ~ : -": 1}
    assert [row["customer_id"] for row in rows(home)] == ["c1", "c3"]
    assert quarantined(home)[0]["line"] == 3


def test_as_of_is_the_present(home: Path) -> None:
    result = _run("a.csv", "--mapping", "m.yaml", "--as-of", "2026-01-06T00:00:00Z")
    assert "1  time: in the future" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.csv"], "none.csv: source: there is no such file"),
        (["a.csv", "--as-of", "soon"], "as-of: is an ISO 8601 time"),
        (["a.csv", "--adapter", "hillstrom", "--mapping", "m.yaml"], "leave out --mapping or --adapter"),
        (["hillstrom", "folder"], "say: nba ingest --adapter hillstrom FOLDER"),
        (["m.yaml"], "can't tell the format by '.yaml'"),
        (["."], "customer: there is no column 'customer_id'"),
        (["."], "A mapping says which column is what: --mapping FILE"),
    ],
)
def test_what_can_not_be_done_says_why(home: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        _run(*arguments)
    assert said in caught.value.detail
