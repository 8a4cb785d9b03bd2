"""The false-alarm budget over attempts: who tries often enough finds a difference that there is not.

    αⱼ = α · 6 / (π² j²),   Σⱼ αⱼ = α

Of all attempts to replace one champion by a new specification, one passes by chance with probability at most
α, however many there are and however their data overlap (Bonferroni, unequally split). A champion that was
proven is a new comparison, and starts the budget anew; a refresh of one is not, and does not.
"""

from __future__ import annotations

import math

import orjson

from nba.stores.ports import Lease, NoteRow, Store

KIND = "attempt"


def level_of(level: float, attempt: int) -> float:
    """The confidence level of the j-th attempt, from 1."""
    return 1 - (1 - level) * 6 / (math.pi**2 * attempt**2)


def attempts(store: Store, against: str, scope: str = "policy") -> int:
    """How many new specifications were tried against what was last proven, by name (`champion.family`)."""
    tried = (orjson.loads(row.body) for row in noted(store))
    return sum((note["against"], note["rule"], note["scope"]) == (against, "new", scope) for note in tried)


def note_attempt(
    store: Store,
    *,
    at: float,
    against: str,
    rule: str,
    scope: str,
    told: dict[str, object],
    lease: Lease | None,
) -> NoteRow:
    """Keep an attempt before anything comes of it, so that a crash can't give it back."""
    body = orjson.dumps({**told, "against": against, "rule": rule, "scope": scope})
    return store.note(KIND, at, body, lease=lease)


def noted(store: Store) -> list[NoteRow]:
    """All attempts, oldest first."""
    found: list[NoteRow] = []
    while more := store.notes(KIND, after=found[-1].number if found else 0):
        found += more
    return found
