"""Values kept for some seconds, each with the moment at which it was read, so that a page can say it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

Value = TypeVar("Value")
_MOST = 64


@dataclass(frozen=True, slots=True)
class Kept(Generic[Value]):
    """A value, and when it was read by the clock of the cache."""

    value: Value
    at: float


class Cache:
    """At most `_MOST` values; of several who ask for one that is missing, one makes it and the others wait.

    An error is not kept.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Kept[object]] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}

    def fetch(self, key: Hashable, seconds: float, make: Callable[[], Value]) -> Kept[Value]:
        """The value of a key, made anew where it is older than `seconds`."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            found = self._kept.get(key)
            if found is None or self._clock() - found.at >= seconds:
                found = Kept(make(), self._clock())
                with self._lock:
                    self._kept[key] = found
                    self._kept.move_to_end(key)
                    while len(self._kept) > _MOST:
                        old, _ = self._kept.popitem(last=False)
                        self._making.pop(old, None)
            return cast("Kept[Value]", found)
