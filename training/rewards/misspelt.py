"""Types of touchpoints that look like an objective written wrong: they would earn nothing, in silence."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from nba.playbook.schema import PlaybookSpec

_OWN = ("consent", "profile", "identify", "not_sent", "contact")  # these have a meaning of their own
_NEAR = 0.75  # difflib's ratio; `purchsae` is 0.88 from `purchase`


@dataclass(frozen=True, slots=True, kw_only=True)
class Misspelt:
    """A type in the store that is neither declared nor an objective, how often, and the objective near it."""

    type: str
    count: int
    near: str

    def __str__(self) -> str:
        return f"{self.count:,} touchpoints of type {self.type!r} earn nothing; is {self.near!r} meant?"


def misspelt(spec: PlaybookSpec, types: Mapping[str, int]) -> list[Misspelt]:
    """Those among `types` (type → how many), the most frequent first."""
    known = {*spec.objectives.outcomes, *spec.touchpoints, *_OWN}
    found = []
    for type, count in types.items():
        near = difflib.get_close_matches(type.lower(), list(spec.objectives.outcomes), n=1, cutoff=_NEAR)
        if type not in known and near:
            found.append(Misspelt(type=type, count=count, near=near[0]))
    return sorted(found, key=lambda m: (-m.count, m.type))
