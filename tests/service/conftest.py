from __future__ import annotations

from collections.abc import Iterator

import pytest

from nba.stores.open import open_store
from nba.stores.ports import Store
from tests.stores.conftest import _kept_database as _kept_database
from tests.stores.conftest import emptied_postgres_url as emptied_postgres_url
from tests.stores.contract import STORES


@pytest.fixture(params=STORES)
def each_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store of each kind, on the live clock."""
    store = open_store(STORES[request.param](request))
    yield store
    store.close()
