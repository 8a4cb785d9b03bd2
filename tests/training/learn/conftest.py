from __future__ import annotations

import pytest

from experiments.tracking import Tracker


@pytest.fixture(scope="session")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Tracker:
    """One for all: making MLflow's database takes seconds."""
    return Tracker(directory=tmp_path_factory.mktemp("mlflow"))
