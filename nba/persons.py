"""One person out of several customer ids: the sum of what each has, and the claims that link them.

Each customer id keeps its own row, so the sum is exact and to undo a link is to forget it. A person is a
function of the linked claims alone: customers who claim one identity belong together, and what else links
them. It goes by the customer id that was identified first, by the claims' own time; of two at one moment the
smaller id. Its group, experiments and ramp are those of that id.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import itemgetter
from typing import Any, Literal

from nba.features.state import States
from nba.session import Session
from nba.stores.persons import Status
from nba.stores.ports import ClaimRow, CustomerRow, Store
from nba.words import latest

LONGEST_KIND = 64
KIND_RULE = f"must be 1 to {LONGEST_KIND} letters that can be printed"


def is_kind(kind: str) -> bool:
    """Whether it can name a kind of identity: every store can hold it, and every screen show it."""
    return kind.isprintable() and 1 <= len(kind) <= LONGEST_KIND


def hidden(secret: bytes, kind: str, value: str) -> str:
    """An identity as the store has it: HMAC-SHA256 under the store's secret, in hex."""
    said = f"identity:{kind}:{value}".encode("utf-8", "surrogatepass")
    return hmac.digest(secret, said, hashlib.sha256).hex()


def digest_of(secret: bytes, customer_id: str) -> str:
    """By which an erased customer id is known again, and by nothing else."""
    return hmac.digest(secret, f"erased:{customer_id}".encode(), hashlib.sha256).hex()


def erased_at(store: Store) -> dict[str, float]:
    """Digest of each customer id that was erased → the latest moment, epoch seconds."""
    return {row.digest: row.at for row in store.erased() if row.digest}  # the latest comes last


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A locked customer says to have an identity. `value` is its keyed hash."""

    customer: CustomerRow
    kind: str
    value: str
    at: float


def whole(session: Session, row: CustomerRow) -> CustomerRow:
    """The person of a locked customer, to be read and not changed: the row itself where it is not linked."""
    if row.person is None:
        return row
    members = session.kin(row)
    return as_one(members, session.states(members))


def as_one(members: Sequence[CustomerRow], states: States) -> CustomerRow:
    """Linked customers, in the order of their ids, as one: their states' sum, the latest of their words.

    Args:
        states: theirs, in the same order.
    """
    if len(members) == 1:
        return members[0]
    state = reduce(lambda one, other: one.merge(other), (states.take([i]) for i in range(len(members))))
    named = next((row for row in members if row.surrogate == row.person), members[0])
    return CustomerRow(
        customer_id=named.customer_id,
        surrogate=named.surrogate,
        state=state.pack()[0],
        attributes=_words(row.attributes for row in members),
        consents=_words(row.consents for row in members),
        last_at=max(row.last_at for row in members),
        version=sum(row.version for row in members),
        person=named.person,
    )


def _words(said: Iterable[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    known: dict[str, list[Any]] = {}
    for words in said:
        for name, (value, at) in words.items():
            latest(known, name, value, at)
    return known


def claim(session: Session, said: Sequence[Said]) -> None:
    """Note what these customers claim, and make one person of those who claim the same.

    A claim that would link too many is kept as refused, and observed; one that an operator withdrew stays so.

    Raises:
        Conflict: customers have to be locked that are not: the session knows them for the next attempt.
    """
    linking = session.live.playbook.spec.identities
    links = _Links.of(session, said)
    for one in sorted(said, key=lambda one: (one.at, one.kind, one.value, one.customer.customer_id)):
        known = links.claim(one)
        before = None if known is None else known.status
        if before == "withdrawn":
            continue
        if not linking.links(one.kind):
            links.put(one, "noted")
            continue
        outcome: Literal["linked", "refused"] = "linked"
        if len(links.joined(one)) > linking.most:
            outcome = "refused"
        links.put(one, outcome)
        if outcome != before:
            session.observer.identity(outcome)
    links.save()


def withdraw(session: Session, row: CustomerRow, kind: str | None = None) -> int:
    """Undo what links a locked customer to others, by one kind of identity or by all; how many claims.

    Whoever was linked through it alone is alone again.
    """
    members = session.kin(row)
    links = _Links(session, members)
    gone = [claim for claim in links.linked(row) if kind in (None, claim.kind)]
    for one in gone:
        links.set(replace(one, status="withdrawn"))
    links.regroup(members)
    links.save()
    return len(gone)


class _Links:
    """The claims of locked customers, and who is linked by them."""

    def __init__(self, session: Session, customers: Iterable[CustomerRow]) -> None:
        self._session = session
        self._rows = {member.surrogate: member for row in customers for member in session.kin(row)}
        self._linked: dict[tuple[str, str], set[str]] = defaultdict(set)  # key → surrogates
        self._of: dict[str, dict[tuple[str, str], ClaimRow]] = defaultdict(dict)
        for found in session.transaction.claims_of(sorted(self._rows)):
            self._keep(found)
        self._changed: dict[tuple[tuple[str, str], str], ClaimRow] = {}

    @classmethod
    def of(cls, session: Session, said: Sequence[Said]) -> _Links:
        """For claims: of those who claim, and of those who claimed the same before."""
        held = session.transaction.claims({(one.kind, one.value) for one in said})
        holders = sorted({claim.surrogate for claim in held})
        strange = [surrogate for surrogate in holders if session.locked(surrogate) is None]
        if strange:
            session.need(session.customers_of(strange).values())
        customers = [session.locked(surrogate) for surrogate in holders]
        return cls(session, [*(one.customer for one in said), *(row for row in customers if row is not None)])

    def claim(self, one: Said) -> ClaimRow | None:
        return self._of[one.customer.surrogate].get((one.kind, one.value))

    def linked(self, row: CustomerRow) -> list[ClaimRow]:
        """The customer's claims that count."""
        return [claim for claim in self._of[row.surrogate].values() if claim.status == "linked"]

    def joined(self, one: Said) -> list[CustomerRow]:
        """All whom the claim would make one person."""
        holders = (self._rows[surrogate] for surrogate in self._linked[one.kind, one.value])
        found = {m.surrogate: m for row in (one.customer, *holders) for m in self._session.kin(row)}
        return list(found.values())

    def put(self, one: Said, status: Status) -> None:
        """Note a claim; the earliest moment at which it was made counts."""
        known = self.claim(one)
        at = one.at if known is None else min(one.at, known.at)
        surrogate, joined = one.customer.surrogate, self.joined(one)
        self.set(ClaimRow(kind=one.kind, value=one.value, surrogate=surrogate, at=at, status=status))
        if status == "linked":
            self._group(joined)

    def set(self, claim: ClaimRow) -> None:
        """As it is from now on; nobody is grouped by it yet."""
        if self._of[claim.surrogate].get(claim.key) != claim:
            self._keep(claim)
            self._changed[claim.key, claim.surrogate] = claim

    def regroup(self, members: Sequence[CustomerRow]) -> None:
        """Persons anew out of these customers, by the claims that are left."""
        parts: list[list[CustomerRow]] = []
        for member in members:
            keys = {claim.key for claim in self.linked(member)}
            with_it = [p for p in parts if any(keys & {c.key for c in self.linked(row)} for row in p)]
            rest = [part for part in parts if part not in with_it]
            parts = [*rest, [member, *(row for part in with_it for row in part)]]
        for part in parts:
            self._group(part)

    def save(self) -> None:
        self._session.transaction.save_claims([self._changed[place] for place in sorted(self._changed)])

    def _keep(self, claim: ClaimRow) -> None:
        self._of[claim.surrogate][claim.key] = claim
        if claim.status == "linked":
            self._linked[claim.key].add(claim.surrogate)
        else:
            self._linked[claim.key].discard(claim.surrogate)

    def _group(self, members: Sequence[CustomerRow]) -> None:
        """One person of these, named by who was identified first."""
        if len(members) == 1:
            self._session.group(members, None)
            return
        claims = [(claim.at, row.customer_id, row) for row in members for claim in self.linked(row)]
        *_, first = min(claims, key=itemgetter(0, 1))
        self._session.group(members, first.surrogate)
