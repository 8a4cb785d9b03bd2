"""`nba journey map`: the contract's JSON, the files it writes, and what it says of bad input."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from nba.artefacts import Artefacts
from nba.cli import build
from nba.errors import InvalidInput
from nba.live import LiveSource
from nba.model import Report, Reports
from nba.playbook.compile import load
from nba.service import Service
from nba.stores.open import open_store
from tests.experiments.report.business import DAY, TEXT, bought, decided, filled

EVENTS = """id,step,at,channel
NA,visit,2026-01-01T10:00:00,web
NA,basket,2026-01-01T10:10:00,web
b,visit,2026-01-03T10:00:00,app
NA,buy,2026-01-01T10:10:00,web
b,basket,2026-01-03T10:20:00,app
"""
COLUMNS = ("--case", "id", "--step", "step", "--time", "at")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NBA_STORE_URL", raising=False)
    (tmp_path / "events.csv").write_text(EVENTS)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(), ["journey", "map", *arguments])


def mapped(folder: Path, *arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--json", "map.json")
    assert result.exit_code == 0, result.output + repr(result.exception)
    document: dict[str, Any] = json.loads((folder / "map.json").read_text())
    return document


def refusal(*arguments: str) -> InvalidInput:
    result = run(*arguments)
    assert isinstance(result.exception, InvalidInput), result.output
    return result.exception


def test_the_json_is_what_the_contract_says(folder: Path) -> None:
    found = mapped(folder, "events.csv", *COLUMNS)
    assert [(s["step"], s["count"]) for s in found["steps"]] == [("basket", 2), ("visit", 2), ("buy", 1)]
    edges = [(e["from"], e["to"], e["count"], e["median_seconds"]) for e in found["edges"]]
    assert edges == [("visit", "basket", 2, 900.0), ("basket", "buy", 1, 0.0)]
    variants = [(v["steps"], v["count"]) for v in found["variants"]]
    assert variants == [(["visit", "basket"], 1), (["visit", "basket", "buy"], 1)]


def test_picture_page_and_tables_are_written_and_sound(folder: Path) -> None:
    files = ("--svg", "map.svg", "--html", "map.html", "--parquet", "tables")
    mapped(folder, "events.csv", *COLUMNS, *files, "--split", "channel")
    ElementTree.parse(folder / "map.svg")
    assert "<svg" in (folder / "map.html").read_text()
    edges = pl.read_parquet(folder / "tables" / "edges.parquet")
    assert edges["part"].to_list() == [None, None, "app", "web", "web"]
    assert {p.stem for p in (folder / "tables").iterdir()} == {"steps", "edges", "variants", "pains"}


def test_a_funnel_is_told_in_words_and_in_json(folder: Path) -> None:
    found = mapped(folder, "events.csv", *COLUMNS, "--from", "visit", "--to", "buy")
    assert (found["funnel"]["cases"], found["funnel"]["reached"]) == (2, 1)
    assert (
        "Of 2 cases at visit, 1 reached buy"
        in run("events.csv", *COLUMNS, "--from", "visit", "--to", "buy").output
    )


def test_markup_of_the_terminal_in_the_data_is_shown_as_text(folder: Path) -> None:
    (folder / "events.csv").write_text("id,step,at\na,[red]x[/red],2026-01-01\na,\x1b[31mred,2026-01-02\n")
    shown = run("events.csv", *COLUMNS).output
    assert "[red]x[/red]" in shown
    assert "\x1b[31m" not in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("events.csv", "--case", "id", "--time", "at"), "step: say which column"),
        (("--case", "id"), "case: names a column of a file"),
        (("events.csv", *COLUMNS, "--from", "visit"), "to: a funnel has both"),
        (("events.csv", *COLUMNS, "--window", "soon"), "window: must be a number and a unit"),
        (("events.csv", *COLUMNS, "--where", "web"), "where: is COLUMN=TEXT"),
        (("events.csv", *COLUMNS, "--split", "period", "--period", "eon"), "period: is one of day"),
        (("events.csv", *COLUMNS, "--goal", "by"), "did you mean 'buy'"),
        (("events.csv", *COLUMNS, "--svg", "nowhere/map.svg"), "can't be written"),
        (("events.csv", *COLUMNS, "--parquet", "events.csv"), "is a file; name a folder"),
        ((), "playbook.yaml"),
    ],
)
def test_what_is_wrong_is_told_with_the_mend(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    assert said in str(refusal(*arguments))


def test_without_a_source_the_store_is_mapped_in_the_playbooks_currency(folder: Path) -> None:
    (folder / "playbook.yaml").write_text(TEXT)
    customers = [f"c{i}" for i in range(60)]
    store = open_store(f"sqlite:///{folder / 'nba.db'}", "request")
    filled(
        store,
        [decided(f"d-{c}", c, DAY, activated_at=None) for c in customers],
        [bought(f"b-{c}", c, 2 * DAY, 10.0) for c in customers[:30]],
    )
    store.close()
    found = mapped(folder, "--split", "group")
    assert [(e["from"], e["to"], e["count"]) for e in found["edges"]] == [("contact", "purchase", 30)]
    assert found["lost_value_in"] == "EUR"
    assert [part["part"] for part in found["split"]["parts"]] == ["treatment"]


def test_what_came_in_files_is_mapped_with_what_the_api_received(folder: Path) -> None:
    (folder / "playbook.yaml").write_text(TEXT)
    rows = [
        {"event_id": f"v{i}", "customer_id": f"c{i}", "type": "visit", "occurred_at": "2026-01-01T10:00:00Z"}
        for i in range(40)
    ]
    (folder / "visits.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    assert CliRunner().invoke(build(), ["ingest", "visits.jsonl"]).exit_code == 0
    store = open_store(f"sqlite:///{folder / 'nba.db'}")
    live = LiveSource(
        playbook=load(folder / "playbook.yaml"),
        store=store,
        artefacts=Artefacts(folder),
        alert=lambda event, fields: None,
    )
    bought_at = datetime(2026, 1, 2, tzinfo=UTC).timestamp()
    item = Report(
        source="event", id="b1", type="purchase", customer_id="c1", value=10.0, occurred_at=bought_at
    )
    Service(store=store, live=live).handle([Reports(items=(item,))], bought_at)
    store.close()
    found = mapped(folder, "--from", "visit", "--to", "purchase")
    assert (found["funnel"]["cases"], found["funnel"]["reached"]) == (40, 1)
    assert mapped(folder, "history")["events"] == 40
    result = run("--from", "visit", "--to", "purchase", "--history", "elsewhere")
    assert "there is no step 'visit'; there are purchase" in str(result.exception)


def test_the_fines_of_a_city_are_mapped_as_they_are_known(data_dir: Path, folder: Path) -> None:
    """process-logs/traffic_fines: 10,000 fines, the counts that any tool finds in it."""
    source = str(data_dir / "process-logs" / "traffic_fines.parquet")
    columns = ("--case", "case_id", "--step", "activity", "--time", "timestamp")
    found = mapped(folder, source, *columns, "--goal", "Payment")
    assert (found["cases"], found["events"], len(found["steps"])) == (10_000, 34_724, 11)
    assert found["edges"][0] | {"share": 0, "mean_seconds": 0} == {
        "from": "Create Fine",
        "to": "Send Fine",
        "count": 6_557,
        "share": 0,
        "median_seconds": 102 * 86_400.0,
        "mean_seconds": 0,
    }
    assert found["variants"][0]["steps"] == ["Create Fine", "Payment"]
    assert [v["count"] for v in found["variants"][:3]] == [3_428, 3_273, 1_890]
    assert sum(v["count"] for v in found["variants"]) == 10_000
    frame = pl.read_parquet(source)
    rows = frame.to_pandas().sort_values(["case_id", "timestamp"], kind="stable")
    following = rows.groupby("case_id")["activity"].shift(-1)
    counts = rows.groupby([rows["activity"], following]).size()
    assert {(e["from"], e["to"]): e["count"] for e in found["edges"]} == counts.to_dict()
    worst = found["pain_points"][0]
    assert worst["step"] == "Send Fine"
    assert 0 < worst["low"] < worst["lost_value"] < worst["high"]
