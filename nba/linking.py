"""Claims that come in bulk, with a history: the same linking as for events, past the service."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from math import inf

from nba.companions import Companions
from nba.errors import Conflict, StoreUnavailable
from nba.live import Live
from nba.observer import NullObserver
from nba.persons import Said, claim, digest_of, erased_at
from nba.session import PackedStates, Session
from nba.stores.ports import Store

Claimed = tuple[str, tuple[str, str], float]
ATTEMPTS = 8  # each finds out whom else to lock: holders, then who is linked to them


class Linking:
    """Links customers of a store. Used by one thread."""

    def __init__(self, store: Store, live: Live, packed: PackedStates) -> None:
        self._store = store
        self._live = live
        self._packed = packed
        self._companions = Companions()

    def claim(self, said: Sequence[Claimed]) -> None:
        """Customer id, (kind, keyed hash) and moment of each claim, in one transaction.

        What was said before its customer was erased is nobody's any more.

        Raises:
            StoreUnavailable: others keep linking the same customers; nothing of these was done.
        """
        extra: set[str] = set()
        for _ in range(ATTEMPTS):
            left = self._left(said)
            if not left:
                return
            with suppress(Conflict), self._store.transaction() as transaction:
                session = Session(
                    transaction,
                    live=self._live,
                    now=max(at for *_, at in left),
                    clock=self._store.clock,
                    packed=self._packed,
                    observer=NullObserver(),
                    secret=self._store.secret,
                    companions=self._companions,
                    extra=extra,
                )
                rows = session.customers(sorted({customer for customer, *_ in left}))
                known = {row.customer_id: row for row in rows}
                if len(self._left(left)) < len(left):
                    raise Conflict("a customer was erased before they were locked")
                claim(
                    session,
                    [Said(customer=known[c], kind=k, value=v, at=at) for c, (k, v), at in left],
                )
                session.save()
                return
        raise StoreUnavailable("other processes keep linking the same customers; run it again")

    def _left(self, said: Sequence[Claimed]) -> list[Claimed]:
        erased, secret = erased_at(self._store), self._store.secret
        return [one for one in said if one[2] > erased.get(digest_of(secret, one[0]), -inf)]
