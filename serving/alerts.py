"""What a person should look at: logged when it begins, again while it lasts, and when it is over."""

from __future__ import annotations

from time import monotonic
from typing import Any

from serving.logs import log

_AGAIN_SECONDS = 60.0


class Alerts:
    """Remembers what has been told. Fields are numbers and names of ours, nothing of a customer."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def on(self, event: str, kind: str = "", **fields: Any) -> None:
        """It is so now. `kind` tells several of one event apart."""
        now, key = monotonic(), event + kind
        if now - self._told.get(key, -_AGAIN_SECONDS) >= _AGAIN_SECONDS:
            self._told[key] = now
            log().warning(event, **({"kind": kind} if kind else {}), **fields)

    def off(self, event: str) -> None:
        """It is over."""
        if self._told.pop(event, None) is not None:
            log().info(f"{event}_over")
