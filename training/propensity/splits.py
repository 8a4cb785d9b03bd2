"""Which rows train, which stop and calibrate, which judge. The judging rows are never tuned on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nba.errors import NotEnoughData
from nba.playbook.schema import DAY
from training.propensity.table import Table

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TEST = 0.2
VALIDATION = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Row numbers, disjoint.

    Attributes:
        kind: `time`, `customer` or `row`.
        train, validation, test: the rows that fit the trees; that stop them and calibrate; that judge.
        gap: at least this lies between all other rows and the test, in the unit of time.
    """

    kind: str
    train: Ints
    validation: Ints
    test: Ints
    gap: float = 0.0


def by_time(table: Table, gap: float, salt: str = "", *, rows: bool = False) -> Split:
    """The test is the last fifth of the usable time, `gap` after everything else.

    Time is epoch seconds, or with `rows` the place of a row in the table; the gap is in the same unit.

    With the gap at the label's horizon, no label of training looks into the test. Validation rows are
    those of a quarter of the customers (or of the rows) before the gap, not a stretch of time between:
    judged on data before the test, a stretch that happened to lie in another season stopped the trees
    at the first one, and cost a second gap.

    Raises:
        NotEnoughData: the rows span no more than the gap.
    """
    at = np.zeros(0) if table.at is None else table.at
    first, last = (float(at.min()), float(at.max())) if len(at) else (0.0, 0.0)
    usable = last - first - gap
    if usable <= 0:
        unit, size = ("rows", 1.0) if rows else ("days", DAY)
        raise NotEnoughData(
            "the data is too short for a split by time with a gap",
            {f"{unit} in all": (last - first) / size, f"gap in {unit}": gap / size},
        )
    known_until = first + (1 - TEST) * usable
    place = _places(table, salt)
    earlier, quarter = at < known_until, VALIDATION / (1 - TEST)
    return Split(
        kind="time",
        train=np.flatnonzero(earlier & (place >= quarter)),
        validation=np.flatnonzero(earlier & (place < quarter)),
        test=np.flatnonzero(at >= known_until + gap),
        gap=gap,
    )


def by_customer(table: Table, salt: str = "", turn: int = 0) -> Split:
    """All rows of a customer in one part, by a hash of salt and id: the same in every run.

    Without customers every row is for itself. The tests of turns 0 to 4 together hold every customer once.
    """
    place = (_places(table, salt) + turn * TEST) % 1.0
    return Split(
        kind="row" if table.customer is None else "customer",
        train=np.flatnonzero(place >= TEST + VALIDATION),
        validation=np.flatnonzero((place >= TEST) & (place < TEST + VALIDATION)),
        test=np.flatnonzero(place < TEST),
    )


def split_of(table: Table, gap: float, seed: int, *, rows: bool = False) -> Split:
    """By time where the table has a time, else by customer, else by row."""
    return by_customer(table, str(seed)) if table.at is None else by_time(table, gap, str(seed), rows=rows)


def _places(table: Table, salt: str) -> Floats:
    """(n,) in [0, 1), the same for all rows of a customer."""
    if table.customer is None:
        return np.array([_place(salt, str(row)) for row in range(len(table))])
    ids, rows = np.unique(table.customer, return_inverse=True)
    return np.array([_place(salt, str(name)) for name in ids])[rows]


def _place(salt: str, name: str) -> float:
    digest = hashlib.sha256(f"{salt}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64
