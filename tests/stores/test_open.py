"""A store is opened by its URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from nba.errors import InvalidInput
from nba.stores.memory import MemoryStore
from nba.stores.open import default_url, open_store


def test_the_default_store_is_a_file_in_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NBA_STORE_URL", raising=False)
    open_store(default_url(tmp_path)).close()
    assert (tmp_path / "nba.db").exists()


def test_the_default_store_in_a_relative_directory_is_below_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NBA_STORE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    assert default_url(Path()) == "sqlite:///nba.db"
    store = open_store(default_url(Path()))
    monkeypatch.chdir("/")
    assert store.links() == {}
    store.close()
    assert (tmp_path / "nba.db").exists()


def test_the_setting_goes_before_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBA_STORE_URL", "sqlite:////elsewhere/nba.db")
    assert default_url(tmp_path) == "sqlite:////elsewhere/nba.db"


def test_folders_on_the_way_are_made_and_any_character_is_just_a_character(tmp_path: Path) -> None:
    folder = tmp_path / "a b%20ü#" / "below"
    open_store(f"sqlite:///{folder / 'nba.db'}").close()
    assert (folder / "nba.db").exists()


def test_a_store_in_memory_has_the_clock_it_is_given() -> None:
    store = open_store("memory:", "request")
    assert isinstance(store, MemoryStore)
    assert store.clock == "request"
    assert open_store("memory:").clock == "live"


@pytest.mark.parametrize("url", ["", "oracle://host/nba", "sqlite://", "sqlite:///", "sqlite:///x?mode=ro"])
def test_a_url_that_names_no_store_is_refused_with_the_setting(url: str) -> None:
    with pytest.raises(InvalidInput, match="NBA_STORE_URL"):
        open_store(url)


def test_a_refusal_does_not_repeat_a_password() -> None:
    with pytest.raises(InvalidInput) as refusal:
        open_store("oracle://ada:hunter2@host/nba")
    assert "hunter2" not in str(refusal.value)


def test_a_path_alone_is_sqlite(tmp_path: Path) -> None:
    open_store(str(tmp_path / "shop.db")).close()
    assert (tmp_path / "shop.db").exists()
