"""What pages are given: the store, what serves, the moment, what is kept a while, and the request."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from nba.errors import NotFound
from nba.live import Live, LiveSource
from nba.playbook.compile import Playbook, parse
from nba.service import Service
from nba.stores.ports import Store
from serving.console.cache import Cache, Kept
from serving.console.words import Words

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One worker's, shared by its pages.

    Attributes:
        clock: the real clock, epoch seconds.
    """

    store: Store
    source: LiveSource
    service: Service
    clock: Callable[[], float]
    cache: Cache

    @property
    def live(self) -> Live:
        """What serves now."""
        return self.source.current

    def now(self) -> float:
        """Just after the latest that happened: the real clock, or on the request clock the store's latest
        moment; NaN for an empty store of that kind."""
        if self.store.clock == "live":
            return self.clock()
        latest = self.kept("latest", 5.0, self.store.latest).value
        return latest + 1e-3 if math.isfinite(latest) else math.nan

    def kept(self, key: Hashable, seconds: float, make: Callable[[], Value]) -> Kept[Value]:
        """A value at most so many seconds old."""
        return self.cache.fetch(key, seconds, make)

    def playbook_of(self, version: str) -> Playbook:
        """The playbook that a decision names, without what was brought along. Raises NotFound."""
        present = self.live.playbook
        for one in (present, *present.variations.values()):
            if one.version == version:
                return one
        text = self.store.playbook(version)
        if text is None:
            raise NotFound(f"the playbook {version} is not kept here")
        return _parsed(text, version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request to a page.

    Attributes:
        rest: what follows the page's name in the address; "" for nothing.
        form: of a POST whose token was right; None for a GET.
    """

    rest: str
    query: Mapping[str, str]
    words: Words
    form: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a page answers: a template with its values; `at` is when they were read.

    With `goto`, an address within the console, it answers that instead.
    """

    template: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    at: float | None = None
    status: int = 200
    goto: str | None = None


@lru_cache(maxsize=16)
def _parsed(text: str, version: str) -> Playbook:
    return parse(text, source=version, kept=True)
