from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.serving.running import served, wiring


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server on the live clock with nothing trained; shared, so each test has customers of its own."""
    with served(wiring(tmp_path_factory.mktemp("artefacts"))) as client:
        yield client


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The same on a simulation store, where time comes with the requests."""
    with served(wiring(tmp_path_factory.mktemp("artefacts"), clock="request")) as client:
        yield client
