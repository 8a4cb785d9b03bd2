"""`nba journey segments` as a user runs it: published, logged, renamed, refitted, refused where unsound."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from experiments.tracking import Tracker
from nba.artefacts import Artefacts
from nba.errors import InvalidInput
from nba.features import history
from nba.journey.segments import unseal_segments
from nba.playbook.compile import load
from nba.stores.open import open_store
from tests.training.segments.planted import PLAYBOOK, START, events, written
from training.commands.journey_segments import segments

APP = typer.Typer()
APP.command()(segments)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One for all tests: MLflow takes seconds to make it."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture
def folder(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    monkeypatch.delenv("NBA_STORE_URL", raising=False)
    (tmp_path / "playbook.yaml").write_text(PLAYBOOK)
    return tmp_path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(APP, [*arguments, "--most", "5"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_segments_are_published_logged_and_written_and_a_rename_stays(folder: Path) -> None:
    written(folder / "history", events(60))
    first = run("--as-of", "2026-06-30", "--json", "one.json", "--parquet", "one.parquet")
    one = json.loads(Path("one.json").read_text())
    assert "s1 active big-basket regulars" in first
    assert one["published"]
    assert one["chosen"]["segments"] == 4
    customers = pl.read_parquet("one.parquet")
    assert len(customers) == one["customers"] == 240
    assert customers["segment_id"].n_unique() == 4
    (logged,) = Tracker().runs("segments")
    assert logged["tags"]["artefact"] == one["version"]
    assert logged["metrics"]["k"] == 4.0
    assert {"segments.json", "candidates.json", "candidates.png", "differences.png"} <= set(
        Tracker().files(logged["run_id"])
    )
    run("--as-of", "2026-06-30", "--count", "4", "--name", "s4=fresh faces", "--json", "two.json")
    two = json.loads(Path("two.json").read_text())
    assert [s["id"] for s in two["segments"]] == [s["id"] for s in one["segments"]]
    assert two["changes"] == {"gone": [], "moved": 0.0}
    with closing(open_store("sqlite:///nba.db")) as store:
        serving = store.serving()["segments"]
        assert (serving.version, serving.number) == (two["version"], 2)
    model = unseal_segments(Artefacts(folder / "artefacts").read(two["version"]), load(Path("playbook.yaml")))
    assert {s.name for s in model.segments} >= {"fresh faces", "lapsing regulars"}


def test_where_no_number_is_sound_nothing_is_published_and_it_says_so(folder: Path) -> None:
    """300 customers who all do the same at random moments."""
    rng = np.random.default_rng(4)
    frame = events(75).filter(pl.col("type") == "visit").head(1_500)
    moments = pl.Series((rng.random(len(frame)) * 150 * 86_400e6).astype(np.int64)).cast(pl.Duration("us"))
    frame = frame.with_columns(
        customer_id=pl.Series([f"c{i % 300}" for i in range(len(frame))]),
        channel=pl.lit("email"),
        occurred_at=pl.lit(START) + moments,
    )
    history.append(folder / "history", frame, "all")
    result = CliRunner().invoke(APP, ["--as-of", "2026-06-30", "--most", "4"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "no number of segments is sound" in result.output
    with closing(open_store("sqlite:///nba.db")) as store:
        assert "segments" not in store.serving()


@pytest.mark.parametrize("name", ["s1", "=x", "s1="])
def test_a_wrong_renaming_is_told_with_an_example(folder: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="s3=lapsing regulars"):
        run("--name", name)


def test_on_the_request_clock_a_moment_is_needed(folder: Path) -> None:
    open_store("sqlite:///nba.db", "request").close()
    with pytest.raises(InvalidInput, match="as-of"):
        run()
