from __future__ import annotations

from collections.abc import Iterator

import pytest

from nba.stores.open import open_store
from nba.stores.ports import Store
from nba.stores.sql.database import Database
from tests.stores.contract import DATABASES, SHARED, STORES
from tests.stores.postgres import empty, fresh_database


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with fresh_database() as url:
        yield url


@pytest.fixture(scope="module")
def _kept_database() -> Iterator[str]:
    with fresh_database() as url:
        yield url


@pytest.fixture
def emptied_postgres_url(_kept_database: str) -> str:
    """As `postgres_url`, in a tenth of the time: made once, and emptied before each test."""
    empty(_kept_database)
    return _kept_database


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store of each kind."""
    store = open_store(STORES[request.param](request))
    yield store
    store.close()


@pytest.fixture(params=SHARED)
def url(request: pytest.FixtureRequest) -> str:
    """Where a store of each kind that processes can share is to be made."""
    return SHARED[request.param](request)


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty database of each kind."""
    database = DATABASES[request.param](SHARED[request.param](request))
    yield database
    database.close()
