"""What stands behind group commit in its tests: a handler that can be held up, a clock that can be set."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest

from nba.errors import InvalidInput, StoreUnavailable

Answer = str | Exception


class Clock:
    """What group commit takes for the time; it stands still until it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr("nba.stores.group.monotonic", lambda: self.now)


class Desk:
    """Handles batches of words: notes them, waits at its gate, answers in capitals."""

    def __init__(self, *, opened: bool = True, clock: Clock | None = None, seconds: float = 0.0) -> None:
        self.clock = clock
        self.seconds = seconds
        self.batches: list[list[str]] = []
        self.threads: set[int] = set()
        self.gate = threading.Event()
        self.inside = threading.Event()
        if opened:
            self.gate.set()

    def __call__(self, commands: Sequence[str]) -> list[Answer]:
        self.batches.append(list(commands))
        self.threads.add(threading.get_ident())
        self.inside.set()
        assert self.gate.wait(30)
        if self.clock is not None:
            self.clock.now += self.seconds
        if "full disk" in commands:
            raise StoreUnavailable("the disk is full")
        if "broken" in commands:
            raise KeyError("broken")
        if "lost" in commands:
            return []
        return [InvalidInput.of("word", "is bad") if c == "bad" else c.upper() for c in commands]

    def shut(self) -> None:
        self.gate.clear()
        self.inside.clear()

    async def busy(self) -> None:
        """Wait until a batch is being handled."""
        assert await asyncio.to_thread(self.inside.wait, 30)


async def gathered(submissions: Sequence[Awaitable[str]]) -> list[Any]:
    return await asyncio.gather(*submissions, return_exceptions=True)
