"""The short form is one line of `nba bench`, with or without the public data."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.bakeoff import bench


def test_the_line_compares_our_mean_rank_with_the_best_rivals(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    monkeypatch.setattr(bench, "_SETS", ("ecoli",))
    monkeypatch.setattr(bench, "_ROWS", 25)
    line = bench.bakeoff()
    assert set(line) == {"name", "value", "unit", "baseline", "ratio", "rival", "sets"}
    assert line["sets"] == "ecoli"
    assert 1.0 <= float(line["value"]) <= 7.0
    assert float(line["ratio"]) == pytest.approx(float(line["baseline"]) / float(line["value"]))


def test_without_the_data_folder_the_tasks_are_simulated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NBA_DATA_DIR", str(tmp_path))
    assert [task.name for task in bench._tasks()] == ["clusters", "rules", "diagnosis", "mixed"]
