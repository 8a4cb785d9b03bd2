"""`tuning.json` as retrain and learn read it: what is wrong is named by its path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nba.errors import InvalidInput
from training.tune.file import read_settings


def test_settings_come_back_by_learner(tmp_path: Path) -> None:
    learners = {"ridge": {"bins": 2, "strength": 120.5, "importance": "clipped"}, "boosted": {}}
    (tmp_path / "t.json").write_text(json.dumps({"study": "s", "learners": learners}))
    assert read_settings(tmp_path / "t.json") == learners


@pytest.mark.parametrize(
    ("learners", "field", "detail"),
    [
        ({"rigde": {}}, "learners.rigde", "did you mean 'ridge'"),
        ({"ridge": {"binz": 2}}, "learners.ridge.binz", "did you mean 'bins'"),
        ({"ridge": {"bins": 2.5}}, "learners.ridge.bins", "whole number"),
        ({"ridge": {"bins": True}}, "learners.ridge.bins", "must be a number"),
        ({"ridge": {"importance": "all"}}, "learners.ridge.importance", "none or clipped"),
        ({"vowpal": {"rate": 0}}, "learners.vowpal.rate", "above 0"),
        ({"vowpal": {"rate": float("inf")}}, "learners.vowpal.rate", "must be a number"),
        ({"vowpal": {"l2": -1.0}}, "learners.vowpal.l2", "0 or more"),
        ({"ridge": [1]}, "learners.ridge", "settings by name"),
        (["ridge"], "learners", "learners with their settings"),
    ],
)
def test_what_is_broken_is_named(tmp_path: Path, learners: Any, field: str, detail: str) -> None:
    (tmp_path / "t.json").write_text(json.dumps({"learners": learners}))
    with pytest.raises(InvalidInput, match=detail) as error:
        read_settings(tmp_path / "t.json")
    assert error.value.errors[0].field == field


def test_no_file_and_no_json_are_told(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    for name in ("none.json", "bad.json"):
        with pytest.raises(InvalidInput, match="`nba tune` writes one"):
            read_settings(tmp_path / name)
