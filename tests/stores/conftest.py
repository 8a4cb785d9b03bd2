from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nba.stores.ports import Store
from tests.stores.contract import STORES


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    store = STORES[request.param](tmp_path)
    yield store
    store.close()
