from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores.postgres import fresh_database


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a store of each kind that processes can share is to be made."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'nba.db'}"
    else:
        with fresh_database() as url:
            yield url
