"""Until when a report counts where nobody says: now, or the latest moment of a store on the request clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from nba.errors import InvalidInput
from nba.stores.ports import Store

_EVER = 253_402_300_800.0  # the year 10000
_SECOND = 1.0
_Read = Callable[[float, int], Iterator[list[float]]]


def default_as_of(store: Store, now: float) -> float:
    """Epoch seconds. On the request clock, the whole second after the latest decision or touchpoint.

    Raises:
        InvalidInput: nothing has happened yet on a store on the request clock.
    """
    if store.clock == "live":
        return now

    def decisions(since: float, chunk: int) -> Iterator[list[float]]:
        return ([row.decided_at for row in rows] for rows in store.decisions(since, math.inf, chunk))

    def touchpoints(since: float, chunk: int) -> Iterator[list[float]]:
        return ([row.occurred_at for row in rows] for rows in store.touchpoints(since, math.inf, chunk))

    found = [*_latest(decisions), *_latest(touchpoints)]
    if not found:
        raise InvalidInput.of("store", "has neither decisions nor events; serve some first")
    return math.floor(max(found)) + _SECOND


def _latest(read: _Read) -> list[float]:
    """The latest moment, if any: the time it must lie in is halved, since a store reads forward only."""
    first = next(read(-math.inf, 1), None)
    if first is None:
        return []
    low, high = first[0], _EVER
    while high - low > _SECOND:
        middle = (low + high) / 2
        later = next(read(middle, 1), None)
        low, high = (low, middle) if later is None else (max(later[0], middle), high)
    return [max(moment for moments in read(low, 10_000) for moment in moments)]
