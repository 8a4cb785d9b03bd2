"""For all tests: where the real data lies, and what a skip means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

import nba

ROOT = Path(nba.__file__).parents[1]

settings.register_profile("patient", deadline=None)  # no test fails because the machine is busy
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is given more time than others begins before them, so that nothing is left waiting for it."""
    items.sort(key=_patience, reverse=True)


def _patience(item: pytest.Item) -> float:
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0]) if mark is not None and mark.args else 0.0


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets: `NBA_DATA_DIR`, by default ../shared/data."""
    folder = Path(os.environ.get("NBA_DATA_DIR", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        reason = f"there is no real data in {folder}; set NBA_DATA_DIR"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
