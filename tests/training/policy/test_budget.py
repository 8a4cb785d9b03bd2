"""The budget over attempts: it adds up, is counted per champion, and survives a crash."""

from __future__ import annotations

import pytest

from nba.stores.memory import MemoryStore
from training.policy.budget import attempts, level_of, note_attempt


def test_all_attempts_together_spend_no_more_than_one_would() -> None:
    spent = sum(1 - level_of(0.95, attempt) for attempt in range(1, 100_001))
    assert spent == pytest.approx(0.05, abs=1e-6)
    assert spent < 0.05
    assert 1 - level_of(0.95, 1) == pytest.approx(0.0304, abs=1e-4)


def test_attempts_count_per_champion_and_only_those_of_new_specifications() -> None:
    store = MemoryStore("request")

    def tried(champion: str, rule: str, scope: str = "policy") -> None:
        note_attempt(store, at=1.0, against=champion, rule=rule, scope=scope, told={}, lease=None)

    for champion, rule in [
        ("ridge@1", "new"),
        ("ridge@1", "refresh"),
        ("ridge@1", "new"),
        ("ridge@2", "new"),
    ]:
        tried(champion, rule)
    tried("ridge@1", "new", scope="variant.bolder.bold")
    assert [attempts(store, name) for name in ("ridge@1", "ridge@2", "ridge@3")] == [2, 1, 0]
    assert attempts(store, "ridge@1", "variant.bolder.bold") == 1
