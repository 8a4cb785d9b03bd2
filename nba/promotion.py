"""What may be done to what serves: promote, ramp, withdraw, roll back. Every change is an audit entry.

Each change is one publication, or two of which the first alone leaves a sound state; doing it again finishes
it. Two who change at once are kept apart by a lease, where they carry one; else the later entry stands.

Whether a policy deserves to serve is judged elsewhere (`training/policy`), and whether its artefact can serve
is for the caller to check first.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from nba.errors import InvalidInput
from nba.standing import FALLBACK, ROLLED_BACK, among, line, same
from nba.standing import Standing as Standing
from nba.standing import named as named
from nba.standing import standing as standing
from nba.stores.leasing import MODELS, SERVING
from nba.stores.ports import Lease, Publication, Store


def promote(
    store: Store,
    publication: Publication,
    *,
    at: float,
    who: str,
    why: str,
    share: float = 1.0,
    evidence: str = "",
    seen: int | None = None,
    lease: Lease | None = None,
) -> Publication:
    """Let a published policy serve all treatment customers, or decide for a share of them as the ramp.

    As champion it is ramp and challenger no longer. A ramp of another policy goes on beside a new champion:
    a refresh of the champion doesn't end it. What stands already is not published again.

    Args:
        at: epoch seconds on the store's clock.
        share: in (0, 1]; below 1 it is a ramp, a further step of the one that runs included.
        evidence: JSON text for the audit entry.
        seen: `changed` of the audit that the caller decided by; None for whatever stands.
        lease: under which the caller acts.

    Returns:
        The publication by which it serves now.

    Raises:
        InvalidInput: the share is none; this is no policy; for a ramp: it serves everybody already, or the
            ramp of another policy is running.
        Conflict: what serves has changed since `seen`, or the lease is no longer the caller's.
    """
    if not 0 < share <= 1:
        raise InvalidInput.of("share", "must be above 0 and at most 1; a rollback ends a ramp")
    if not publication.version or publication.kind in MODELS:
        raise InvalidInput.of("name", f"{publication.name} is no policy that was published")
    entry = _Entry(store=store, at=at, who=who, why=why, seen=seen, lease=lease)
    step = _to_champion if share == 1 else _to_ramp
    return step(standing(store), publication, entry, share, evidence)


def withdraw(
    store: Store,
    kind: Literal["ramp", "challenger"],
    *,
    at: float,
    who: str,
    why: str,
    evidence: str = "",
    seen: int | None = None,
    lease: Lease | None = None,
) -> Publication:
    """End the ramp, so that the champion decides for all again, or the challenger's looking on.

    Raises:
        InvalidInput: there is none.
        Conflict: the lease is no longer the caller's.
    """
    now = standing(store)
    running = now.ramp if kind == "ramp" else now.challenger
    if running is None:
        raise InvalidInput.of("kind", f"there is no {kind} now")
    entry = _Entry(store=store, at=at, who=who, why=why, seen=seen, lease=lease)
    return entry.add(kind, running, share=0.0, evidence=evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What a rollback does.

    Attributes:
        ramp: is withdrawn; None where none runs.
        leaves: what stops serving, by name; None where champion or fallback stay.
        to: what serves afterwards; None is the fallback.
    """

    ramp: Publication | None
    leaves: str | None
    to: Publication | None


def way_back(store: Store, to: str | None = None) -> Way:
    """What `rollback` would do now; see there. Changes nothing, so that the caller can check it first.

    Raises:
        InvalidInput: no champion has this name, or it is what serves already.
    """
    audit = store.audit()
    now = Standing.of(audit)
    if to is None and now.tried is not None:
        return Way(ramp=now.tried, leaves=None, to=now.champion)
    target = _before(line(audit)) if to is None else _target(audit, now, to)
    if target != now.champion:
        return Way(ramp=now.ramp, leaves=now.name, to=target)
    if now.tried is None:
        names = ", ".join(p.name for p in now.earlier[:5])
        raise InvalidInput.of("to", f"{now.name} serves already; former champions: {names or 'none'}")
    return Way(ramp=now.tried, leaves=None, to=target)


def rollback(
    store: Store,
    *,
    at: float,
    who: str,
    why: str,
    to: str | None = None,
    evidence: str = "",
    seen: int | None = None,
    lease: Lease | None = None,
) -> Publication:
    """Take back what went wrong.

    A running ramp is withdrawn, and the champion stays. Without one the champion before the present one
    serves again, or the fallback where there was none. Another rollback goes further back, never to what a
    rollback took away, unless that was promoted again since.

    Args:
        at: epoch seconds on the store's clock.
        to: a former champion such as `linear@5`, or `fallback`; a running ramp is withdrawn too, before.
        evidence: a JSON object for the audit entry; what was taken back is added to it as `rolled_back`.

    Returns:
        The last entry: of kind `policy`, or `ramp` where only that was withdrawn.

    Raises:
        InvalidInput: no champion has this name, it serves already, or the evidence is no object.
        Conflict: the lease is no longer the caller's.
    """
    way = way_back(store, to)
    entry = _Entry(store=store, at=at, who=who, why=why, seen=seen, lease=lease)
    made: list[Publication] = []
    if way.ramp is not None:
        made.append(entry.add("ramp", way.ramp, share=0.0, evidence=_taking(way.ramp.name, evidence)))
    if way.leaves is not None:
        made.append(entry.add("policy", way.to, evidence=_taking(way.leaves, evidence)))
    return made[-1]


@dataclass(slots=True, kw_only=True)
class _Entry:
    """An audit entry to be made; `seen` moves on with each of one's own."""

    store: Store
    at: float
    who: str
    why: str
    seen: int | None
    lease: Lease | None

    def add(self, kind: str, again: Publication | None, *, share: float = 1.0, evidence: str) -> Publication:
        """Publish the same artefact under a kind; None is the fallback."""
        made = self.store.publish(
            kind=kind,
            version="" if again is None else again.version,
            specification=FALLBACK if again is None else again.specification,
            at=self.at,
            who=self.who,
            why=self.why,
            origin=None if again is None else again.origin,
            share=share,
            evidence=evidence,
            after=self.seen,
            lease=self.lease,
        )
        if self.seen is not None and kind in SERVING:
            self.seen = made.number
        return made


def _to_champion(
    now: Standing, publication: Publication, entry: _Entry, share: float, evidence: str
) -> Publication:
    """First it serves everybody; what it was before ends after that."""
    champion = now.champion
    if champion is None or not same(champion, publication):
        champion = entry.add("policy", publication, evidence=evidence)
    for before in (now.ramp, now.challenger):
        if before is not None and same(before, publication):
            entry.add(before.kind, before, share=0.0, evidence=evidence)
    return champion


def _to_ramp(
    now: Standing, publication: Publication, entry: _Entry, share: float, evidence: str
) -> Publication:
    if same(now.champion, publication):
        raise InvalidInput.of("name", f"{publication.name} serves everybody already")
    running = now.tried
    if running is not None and not same(running, publication):
        step = f"{running.name} is on its ramp, at a share of {running.share:g}"
        raise InvalidInput.of("name", f"{step}; promote it or roll it back first")
    if running is not None and running.share == share:
        return running
    return entry.add("ramp", publication, share=share, evidence=evidence)


def _before(champions: list[Publication]) -> Publication | None:
    return champions[-2] if len(champions) > 1 else None


def _target(audit: list[Publication], now: Standing, to: str) -> Publication | None:
    if to == FALLBACK:
        return None
    if now.champion is not None and to == now.champion.name:
        return now.champion
    kinds = {p.kind for p in audit if p.name == to and p.version and p.kind != "scores"}
    former = {p.name for p in now.earlier}
    if kinds and to not in former:
        told = f"{to} was published, as {' and '.join(sorted(kinds))}, but never served everybody"
        names = ", ".join(p.name for p in now.earlier[:5]) or "none"
        raise InvalidInput.of("to", f"{told}; former champions: {names}; `nba promote` lets it serve")
    return among(now.earlier, to, "to", "former champion", (FALLBACK,))


def _taking(name: str, evidence: str) -> str:
    with suppress(ValueError):
        given = json.loads(evidence or "{}")
        if isinstance(given, dict):
            return json.dumps({**given, ROLLED_BACK: name})
    raise InvalidInput.of("evidence", "must be a JSON object, or empty")
