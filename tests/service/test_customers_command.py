"""`nba customers`: what is told of a customer whose history came in files, and asked before an end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nba.cli import build
from nba.errors import Gone, NotFound


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NBA_STORE_URL", raising=False)
    rows = [
        {"event_id": f"v{i}", "customer_id": "c1", "type": type, "occurred_at": f"2026-01-0{i}T10:00:00Z"}
        for i, type in enumerate(["visit", "purchase", "visit"], 1)
    ]
    (tmp_path / "told.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    assert run("init", ".").exit_code == 0
    assert run("ingest", "told.jsonl").exit_code == 0
    return tmp_path


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(build(), arguments, input=answer)


def test_what_came_in_files_is_told_by_how_often_and_when_last(shop: Path) -> None:
    result = run("customers", "show", "c1", "--json", "seen.json")
    assert result.exit_code == 0, result.output
    seen = json.loads((shop / "seen.json").read_text())
    assert seen["touchpoints"] == []
    assert seen["activity"] == [
        {"type": "visit", "count": 2, "last_at": "2026-01-03T10:00:00Z"},
        {"type": "purchase", "count": 1, "last_at": "2026-01-02T10:00:00Z"},
    ]
    assert "activity" in result.output
    assert "2026-01-03T10:00:00Z" in result.output


def test_an_erasure_is_asked_for_once_and_who_is_gone_or_unknown_is_told_unasked(shop: Path) -> None:
    assert run("customers", "erase", "c1", answer="n\n").exit_code == 1
    done = run("customers", "erase", "c1", answer="y\n")
    assert "Erase c1" in done.output
    assert "erased 1 customer ids" in done.output
    again, unknown = run("customers", "erase", "c1"), run("customers", "erase", "nobody")
    assert isinstance(again.exception, Gone)
    assert isinstance(unknown.exception, NotFound)
    assert "Erase" not in again.output + unknown.output
