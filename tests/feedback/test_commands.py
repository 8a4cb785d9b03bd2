"""`nba feedback train` and `report` as a user runs them, MLflow being down: no text waits to be sent."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from experiments.backlog import KIND
from experiments.tracking import RunRecord
from nba.artefacts import Artefacts
from nba.errors import InvalidInput
from nba.journey.feedback.pieces import words
from nba.journey.feedback.sealed import unseal_text_model
from nba.playbook.compile import parse
from nba.promotion import named
from nba.stores.open import open_store
from tests.feedback.made_up import BAD, GOOD, reviews, written
from tests.service.business import NOON, OPEN, Business, event
from training.commands.feedback_report import report
from training.commands.feedback_train import train

TRAIN, REPORT = typer.Typer(), typer.Typer()
TRAIN.command()(train)
REPORT.command()(report)
COLUMNS = ("--text", "text", "--label", "stars", "--theme", "about", "--language", "en")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # nobody listens there
    written(tmp_path, reviews(400))
    return tmp_path


def run(app: typer.Typer, *arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return str(result.output)


def test_a_trained_model_is_published_logged_without_words_and_read_with(folder: Path) -> None:
    output = run(TRAIN, "reviews.parquet", *COLUMNS, "--json", "card.json")
    card = json.loads((folder / "card.json").read_text())
    assert card["published"]
    assert card["version"][:12] in output
    assert "logged later" in output
    with closing(open_store("nba.db")) as store:
        publication = store.serving()["feedback"]
        (kept,) = store.notes(KIND)
        with pytest.raises(InvalidInput):
            named(store, publication.name)  # nothing that could be promoted to decide
    assert publication.version == card["version"]
    unseal_text_model(Artefacts(folder / "artefacts").read(card["version"]))
    record = RunRecord.of_bytes(kept.body)
    assert record.experiment == "feedback"
    assert {"confusion_sentiment.png", "reliability_theme.png"} <= set(record.figures)
    assert {name for name, _, _ in record.metrics} >= {"sentiment.macro_f1", "sentiment.negative.recall"}
    logged = str((record.params, record.tags, record.tables, record.dicts, record.texts))
    assert not set(words(logged)) & {*GOOD, *BAD}
    said = run(
        REPORT,
        "reviews.parquet",
        "--score",
        "stars",
        "--text",
        "text",
        "--id",
        "customer",
        "--json",
        "r.json",
    )
    assert "texts about" in said
    told = json.loads((folder / "r.json").read_text())
    assert told["texts"]["model"] == card["version"]
    assert {theme["name"] for theme in told["texts"]["themes"]} == {"dress", "shirt"}


def test_a_model_for_a_simulation_store_is_published_on_its_clock(folder: Path) -> None:
    """Published today, it would move the store's latest moment, which is its now, to today."""
    with closing(open_store("nba.db", "request")) as store:
        Business.of(parse(OPEN), store).report(event("ada", "visit", NOON))
        was = store.latest()
    run(TRAIN, "reviews.parquet", *COLUMNS)
    with closing(open_store("nba.db")) as store:
        assert was <= store.latest() <= was + 1
        assert store.serving()["feedback"].published_at == store.latest()


def test_a_model_for_a_simulation_store_without_a_moment_is_refused(folder: Path) -> None:
    open_store("nba.db", "request").close()
    with pytest.raises(InvalidInput, match="neither decisions nor events"):
        run(TRAIN, "reviews.parquet", *COLUMNS)


def test_a_model_that_has_learned_nothing_is_published_by_force_only(folder: Path) -> None:
    frame = reviews(400)
    written(folder, frame.with_columns(stars=frame["stars"].shuffle(seed=1)), "chance.parquet")
    assert "not published" in run(TRAIN, "chance.parquet", "--text", "text", "--label", "stars")
    with closing(open_store("nba.db")) as store:
        assert "feedback" not in store.serving()
    assert "serves" in run(TRAIN, "chance.parquet", "--text", "text", "--label", "stars", "--force")


def test_options_that_make_no_sense_are_told(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="must be below --positive"):
        run(TRAIN, "reviews.parquet", *COLUMNS, "--negative", "4")
    with pytest.raises(InvalidInput, match="no such column"):
        run(REPORT, "reviews.parquet", "--score", "star")
