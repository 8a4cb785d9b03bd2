"""What stands: champion, ramp, challenger and former champions, read from the audit table and nowhere else.

So whoever reads it sees the same. What is done to it stands in `nba/promotion.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches

from nba.errors import InvalidInput
from nba.stores.leasing import MODELS, SERVING
from nba.stores.ports import Publication, Store

FALLBACK = "fallback"
ROLLED_BACK = "rolled_back"
"""In the evidence of a rollback: the name of what it took back."""
ROLES = ("champion", "challenger", "ramp")
_NEAR = 5  # names that an error suggests


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the audit table says of now.

    Attributes:
        champion: the latest `policy`; None where nothing was ever published or the fallback was put back.
        ramp: the latest `ramp`, None once its share is 0. After a crash in a promotion it may be of the
            champion's own origin; then it changes nothing.
        challenger: likewise.
        earlier: former champions, latest first, each origin once, without the present one.
    """

    champion: Publication | None
    ramp: Publication | None
    challenger: Publication | None
    earlier: tuple[Publication, ...]

    @classmethod
    def of(cls, audit: Sequence[Publication]) -> Standing:
        """Args: audit: all publications, oldest first."""
        latest = {publication.kind: publication for publication in audit}
        champion = _there(latest.get("policy"))
        champions = {p.origin: p for p in audit if p.kind == "policy" and p.version}
        former = (p for p in champions.values() if not same(p, champion))
        return cls(
            champion=champion,
            ramp=_there(latest.get("ramp")),
            challenger=_there(latest.get("challenger")),
            earlier=tuple(sorted(former, key=lambda p: -p.number)),
        )

    @property
    def tried(self) -> Publication | None:
        """The ramp where it is of another policy than the champion."""
        return None if same(self.ramp, self.champion) else self.ramp

    @property
    def name(self) -> str:
        """Of what decides for all that no ramp and no experiment decides for."""
        return FALLBACK if self.champion is None else self.champion.name


def standing(store: Store) -> Standing:
    """What serves, looks on and served before. Raises StoreUnavailable."""
    return Standing.of(store.audit())


def named(store: Store, name: str) -> Publication:
    """The latest publication of a policy by its name: `linear@7`, `champion`, `challenger` or `ramp`.

    Raises:
        InvalidInput: there is none; names that are near, or the latest ones, are told.
    """
    audit = store.audit()
    if name not in ROLES:
        policies = [p for p in audit if p.version and p.kind not in MODELS]
        return among(policies, name, "name", "policy", ROLES if policies else ())
    present: Publication | None = getattr(Standing.of(audit), name)
    if present is None:
        raise InvalidInput.of("name", f"there is no {name} now; `nba audit` lists what was published")
    return present


def line(audit: Iterable[Publication]) -> list[Publication]:
    """The champions along which rollbacks go back, the present one last; empty under the fallback.

    A rollback takes everything after its target out of the line; a promotion puts its policy at the end.
    """
    kept: list[Publication] = []
    for publication in (p for p in audit if p.kind == "policy"):
        origins = [p.origin for p in kept]
        if not publication.version:
            kept = []
        elif not _is_rollback(publication):
            kept = [*(p for p in kept if p.origin != publication.origin), publication]
        elif publication.origin in origins:
            kept = [*kept[: origins.index(publication.origin)], publication]
        else:
            kept = [*kept[:-1], publication]
    return kept


def changed(audit: Sequence[Publication]) -> int:
    """The number of the latest entry by which what serves has changed, 0 for none."""
    return max((p.number for p in audit if p.kind in SERVING), default=0)


def same(one: Publication | None, other: Publication | None) -> bool:
    """Whether both are there and of one origin."""
    return one is not None and other is not None and one.origin == other.origin


def among(
    publications: Iterable[Publication], name: str, field: str, what: str, words: Sequence[str] = ()
) -> Publication:
    """The latest of this name.

    Raises:
        InvalidInput: of the field, with names that are near; `words` are others that may be meant.
    """
    known = {publication.name: publication for publication in publications}
    if name in known:
        return known[name]
    near = get_close_matches(name, [*known, *words], _NEAR) or list(known)[-_NEAR:]
    there = f"near are {', '.join(near)}" if near else "there never was one"
    raise InvalidInput.of(field, f"there is no {what} {name!r}; {there}")


def _there(publication: Publication | None) -> Publication | None:
    """None for what was withdrawn, and for the fallback."""
    return publication if publication is not None and publication.version and publication.share > 0 else None


def _is_rollback(publication: Publication) -> bool:
    with suppress(ValueError):
        evidence = json.loads(publication.evidence or "null")
        return isinstance(evidence, dict) and ROLLED_BACK in evidence
    return False
