"""Shops with experiments, for the tests of what they change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from nba.stores.memory import MemoryStore
from nba.stores.ports import Store
from tests.service.business import DAY, NOON, OPEN, SECRET, Business, consents

GROUPS = "groups: {holdout: 0, random_eligible: 0}"
SOME = "groups: {holdout: 0.2, random_eligible: 0.2}"


def opened(text: str, customers: int = 60, store: Store | None = None) -> Business:
    """A shop whose customers all agreed to be written to."""
    business = Business.of(text, store or MemoryStore("live", secret=SECRET))
    business.report(*(consents(f"c{i}") for i in range(customers)), now=NOON - 2 * DAY)
    return business


def with_experiments(*experiments: Mapping[str, Any], text: str = OPEN) -> str:
    return f"{text}\nexperiments: {orjson.dumps(experiments).decode()}\n"


def trying(who: Mapping[str, str], name: str = "e") -> str:
    return with_experiments({"name": name, "variants": {v: {"policy": p} for v, p in who.items()}})
