"""Policies on a store in memory, by few words; and a store whose process dies on the way."""

from __future__ import annotations

from typing import Any

from nba.promotion import standing
from nba.stores.memory import MemoryStore
from nba.stores.ports import Publication

BY: dict[str, Any] = {"at": 9.0, "who": "ada", "why": "because"}


class Died(Exception):
    """The process is gone."""


class Mortal(MemoryStore):
    """A store whose process dies before the publication that comes after so many."""

    left: int | None = None

    def publish(self, **values: Any) -> Publication:
        if self.left == 0:
            raise Died
        self.left = None if self.left is None else self.left - 1
        return super().publish(**values)


class Desk:
    """Publishes artefacts named by letters."""

    def __init__(self) -> None:
        self.store = Mortal()

    def publish(self, kind: str, version: str, **values: Any) -> Publication:
        by = {"specification": "ridge", "at": 1.0, "who": "bo", "why": "trained"}
        return self.store.publish(kind=kind, version=version, **by, **values)

    def champion(self, version: str) -> Publication:
        return self.publish("policy", version)

    def challenger(self, version: str) -> Publication:
        return self.publish("challenger", version)

    def state(self) -> tuple[str, tuple[str, float] | None, str | None]:
        """Champion, ramp with its share, and challenger, by name."""
        now = standing(self.store)
        ramp = None if now.ramp is None else (now.ramp.name, now.ramp.share)
        return now.name, ramp, None if now.challenger is None else now.challenger.name
