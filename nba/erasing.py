"""Erase a person everywhere in the store: all customer ids that are linked, or one that is alone.

The rows of the log stay as statistics, arm, odds and time under a surrogate to which nothing leads any more.
What they rested on, and whatever a customer said, is emptied. Models that learned from it forget it when they
are next trained in full. What has not been sent yet must not be: the orchestrator is told of each decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from nba.deciding import HELD_SECONDS
from nba.errors import Gone, NotFound
from nba.looking import recall
from nba.model import Erased, Erasure, Withdrawal, Withdrawn
from nba.persons import digest_of, withdraw
from nba.session import Session
from nba.stores.ports import ErasedRow, OutboxRow, Store
from nba.trace import left_of

UNKNOWN = "there is no such customer"
_CHUNK = 500
GONE = "the customer was erased"


def erase(session: Session, command: Erasure, store: Store) -> Erased | NotFound | Gone:
    """Erase whose customer id this is. An id that was erased before is Gone, and nothing changes."""
    row = session.customer(command.customer_id)
    if row is None:
        known = store.erasure(digest_of(store.secret, command.customer_id))
        return Gone(GONE) if known is not None else NotFound(UNKNOWN)
    kin = session.kin(row)
    latest = max(one.last_at for one in kin)  # on the request clock that is now, where there is any
    at = latest if session.clock == "request" and isfinite(latest) else session.now
    called_off = _call_off(session, [one.surrogate for one in kin], at)
    rows = [
        ErasedRow(
            surrogate=one.surrogate,
            digest=digest_of(store.secret, one.customer_id),
            at=at,
            who=command.who,
        )
        for one in kin
    ]
    changed = session.transaction.erase(rows, left_of)
    for one in kin:
        session.companions.forget(one.customer_id)
    return Erased(
        customers=len(kin),
        decisions=changed["decisions"],
        touchpoints=changed["touchpoints"],
        called_off=called_off,
    )


def erase_listed(store: Store, surrogates: Sequence[str], *, at: float, who: str) -> None:
    """Erase customers by surrogate, as another store has told; those that were erased here stay so.

    Of customers of this store, as after a restored backup, all who are linked to them are erased too.
    """
    known = {row.surrogate for row in store.erased()}
    told = [surrogate for surrogate in dict.fromkeys(surrogates) if surrogate not in known]
    linked = [row.surrogate for name in store.names(told).values() for row in store.known(name)]
    fresh = list(dict.fromkeys([*told, *linked]))
    for start in range(0, len(fresh), _CHUNK):
        some = fresh[start : start + _CHUNK]
        with store.transaction() as transaction:
            here = transaction.customers_of(some)
            transaction.customers([], sorted(row.customer_id for row in here.values()))  # locked
            digests = {s: digest_of(store.secret, row.customer_id) for s, row in here.items()}
            transaction.erase(
                [ErasedRow(surrogate=s, digest=digests.get(s, ""), at=at, who=who) for s in some], left_of
            )


def withdrawn(session: Session, command: Withdrawal) -> Withdrawn | NotFound:
    """Undo links; states, words and ledgers are then as if the customers had never been linked."""
    row = session.customer(command.customer_id)
    if row is None:
        return NotFound(UNKNOWN)
    members = session.kin(row)
    claims = withdraw(session, row, command.kind)
    recall(session, members)
    persons = {tuple(one.customer_id for one in session.kin(member)) for member in members}
    return Withdrawn(claims=claims, persons=tuple(sorted(persons)))


def _call_off(session: Session, surrogates: list[str], at: float) -> int:
    """Contacts that are still to be sent or shown count no longer, and the orchestrator is told; how many."""
    since = at - HELD_SECONDS  # what is held may have its moment behind it
    known = [contact for rows in session.contacts(surrogates, since) for contact in rows]
    unsent = [c for c in known if c.send_at > at or (c.expires_at is not None and c.expires_at > at)]
    session.release([contact.decision_id for contact in unsent], "released")
    session.tell(
        OutboxRow(
            id=f"erased.{contact.decision_id}",
            type="decision.erased",
            surrogate=contact.surrogate,
            decision_id=contact.decision_id,
            at=at,
            body=b"{}",
        )
        for contact in unsent
    )
    return len(unsent)
