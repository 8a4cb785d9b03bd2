from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from serving.console.users import SETTING
from tests.console.seeded import console, log_in, told, users


@pytest.fixture(scope="module")
def open_console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A console on a seeded store, logged in; read it and change nothing."""
    folder = tmp_path_factory.mktemp("console")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SETTING, str(users(folder)))
        with console(folder) as http:
            told(http)
            assert log_in(http).status_code == 303
            yield http


@pytest.fixture
def closed_console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A console with one user, nobody logged in."""
    monkeypatch.setenv(SETTING, str(users(tmp_path)))
    with console(tmp_path) as http:
        yield http
