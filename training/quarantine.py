"""Times whose outcomes are not to be believed: decisions whose reward windows meet them are left out.

They are left out whatever their arm, so nothing is bent; they are kept as notes of the store, so every later
training leaves them out too. A quarantine is lifted by a person, or by whoever put it, with a note more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from nba.errors import InvalidInput
from nba.stores.ports import Lease, Store

KIND = "quarantine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """Outcomes of a type from `start` until before `end` (epoch seconds) are not believed, and why."""

    type: str
    start: float
    end: float
    why: str
    who: str
    lifted: bool = False

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise InvalidInput.of("end", "must be after start")


def put(store: Store, quarantine: Quarantine, *, at: float, lease: Lease | None = None) -> None:
    """Keep a quarantine; the same type and start again puts the new one in place of the old.

    Raises:
        Conflict: the lease is no longer the caller's.
    """
    store.note(KIND, at, orjson.dumps(asdict(quarantine)), lease=lease)


def in_force(store: Store) -> list[Quarantine]:
    """Those that were not lifted, by start."""
    return [q for q in known(store) if not q.lifted]


def known(store: Store) -> list[Quarantine]:
    """As they stand now, the lifted ones too, by start."""
    latest: dict[tuple[str, float], Quarantine] = {}
    after = 0
    while rows := store.notes(KIND, after=after):
        after = rows[-1].number
        for row in rows:
            found = Quarantine(**orjson.loads(row.body))
            latest[found.type, found.start] = found
    return sorted(latest.values(), key=lambda q: (q.start, q.type))


def believed(
    quarantines: Sequence[Quarantine], decided_at: NDArray[np.float64], window: float
) -> NDArray[np.bool_]:
    """(n,) whether the window [decided_at, decided_at + window) meets none of them."""
    good = np.ones(len(decided_at), dtype=np.bool_)
    for q in quarantines:
        good &= (decided_at + window <= q.start) | (decided_at >= q.end)
    return good
