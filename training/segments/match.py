"""Which segment of the model before a new one continues, so that ids and names stay.

Both models place the same customers of today; a pair is as alike as its overlap, |A ∩ B| / |A ∪ B|
(Jaccard), and the pairing of most overlap in all is taken (the Hungarian method, Kuhn 1955). Pairs that
share less than a quarter are no continuation: the new one gets a new id, and an id that is gone never comes
back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nba.journey.segments import Segment

Ints = NDArray[np.int64]
LEAST_OVERLAP = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """The new segments with their ids.

    Attributes:
        ids: (k,) one each; names: (k,) those that stay, None for a new one.
        overlap: (k,) Jaccard with the segment that it continues; 0 for a new one.
        gone: the former ones that none continues.
        moved: share of the customers whose id is another than by the model before; None without one.
        following: the number of the next new id.
    """

    ids: tuple[str, ...]
    names: tuple[str | None, ...]
    overlap: tuple[float, ...]
    gone: tuple[Segment, ...]
    moved: float | None
    following: int


def match(place: Ints, k: int, before: Ints, former: Sequence[Segment], following: int) -> Matched:
    """Args:
    place: (n,) the new segment of each customer; before: (n,) the former, -1 for none.
    former: the segments of the model before; empty without one.
    following: the number of the next new id.
    """
    from scipy.optimize import linear_sum_assignment

    alike = np.zeros((k, len(former)))
    for i in range(k):
        for j in range(len(former)):
            both, either = ((place == i) & (before == j)).sum(), ((place == i) | (before == j)).sum()
            alike[i, j] = both / either if either else 0.0
    pairs = zip(*linear_sum_assignment(-alike), strict=True) if len(former) else ()
    continues = {int(i): int(j) for i, j in pairs if alike[i, j] >= LEAST_OVERLAP}
    ids: list[str] = []
    for i in range(k):
        if i in continues:
            ids.append(former[continues[i]].id)
        else:
            ids.append(f"s{following}")
            following += 1
    old = np.array([*(s.id for s in former), ""])[before]
    known = before >= 0
    return Matched(
        ids=tuple(ids),
        names=tuple(former[continues[i]].name if i in continues else None for i in range(k)),
        overlap=tuple(float(alike[i, continues[i]]) if i in continues else 0.0 for i in range(k)),
        gone=tuple(s for j, s in enumerate(former) if j not in continues.values()),
        moved=float((np.array(ids)[place] != old)[known].mean()) if known.any() else None,
        following=following,
    )
