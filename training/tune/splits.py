"""Which decisions a trial learns from and which value it: always earlier ones for later ones.

The log is cut at moments. The last part is nobody's but the final judgement's; the rest rolls: what was known
when a part began learns, the part itself values. Known means mature: a reward whose window was still open at
that moment holds outcomes of the part that values, so such decisions are left out there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nba.errors import NotEnoughData

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FEWEST_LEARNED = 100  # decisions below which no learner is tried
FEWEST_VALUED = 50


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """Rows of a log, by time.

    Attributes:
        start: the moment that parts them, epoch seconds.
        learn: rows whose rewards were mature by then.
        value: rows from then on, until the next split starts.
    """

    start: float
    learn: Ints
    value: Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Splits:
    """The rolling ones that trials see, and the last one, which none does."""

    rolling: tuple[Split, ...]
    final: Split


def rolling(decided_at: Floats, window: float, *, splits: int, held: float) -> Splits:
    """Cut a log so that the parts that value are of one size.

    Args:
        decided_at: (n,) epoch seconds, ascending.
        window: seconds until a reward is mature.
        splits: how many parts value trials; what comes before the first only trains, and is twice as long.
        held: share of the decisions that is left for the final judgement.

    Raises:
        NotEnoughData: a part has too few decisions to learn from or to be valued on.
    """
    n = len(decided_at)
    shares = np.append(np.arange(2, splits + 2) / (splits + 2) * (1.0 - held), 1.0 - held)
    starts = [float(decided_at[min(int(share * n), n - 1)]) for share in shares] if n else []
    found = [
        Split(
            start=start,
            learn=np.flatnonzero(decided_at + window <= start),
            value=np.flatnonzero((decided_at >= start) & (decided_at < end)),
        )
        for start, end in zip(starts, (*starts[1:], np.inf), strict=True)
    ]
    for i, split in enumerate(found):
        if len(split.learn) < FEWEST_LEARNED or len(split.value) < FEWEST_VALUED:
            _refuse(n, i, split, window)
    return Splits(rolling=tuple(found[:-1]), final=found[-1])


def _refuse(n: int, i: int, split: Split, window: float) -> None:
    figures = {
        "decisions": n,
        "part": i + 1,
        "learned from": len(split.learn),
        "needed to learn": FEWEST_LEARNED,
        "valued on": len(split.value),
        "needed to value": FEWEST_VALUED,
        "window in days": window / 86_400.0,
    }
    raise NotEnoughData(
        "too few decisions to tune on: each part of the log is valued by a policy of those whose rewards were"
        " mature when it began; wait for more, or ask for fewer --splits",
        {name: float(figure) for name, figure in figures.items()},
    )
