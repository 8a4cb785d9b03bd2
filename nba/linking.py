"""Claims that come in bulk, with a history: the same linking as for events, past the service."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from nba.companions import Companions
from nba.errors import Conflict, StoreUnavailable
from nba.live import Live
from nba.observer import NullObserver
from nba.persons import Said, claim
from nba.session import PackedStates, Session
from nba.stores.ports import Store

ATTEMPTS = 8  # each finds out whom else to lock: holders, then who is linked to them


class Linking:
    """Links customers of a store. Used by one thread."""

    def __init__(self, store: Store, live: Live, packed: PackedStates) -> None:
        self._store = store
        self._live = live
        self._packed = packed
        self._companions = Companions()

    def claim(self, said: Sequence[tuple[str, tuple[str, str], float]]) -> None:
        """Customer id, (kind, keyed hash) and moment of each claim, in one transaction.

        Raises:
            StoreUnavailable: others keep linking the same customers; nothing of these was done.
        """
        extra: set[str] = set()
        for _ in range(ATTEMPTS):
            with suppress(Conflict), self._store.transaction() as transaction:
                session = Session(
                    transaction,
                    live=self._live,
                    now=max(at for *_, at in said),
                    clock=self._store.clock,
                    packed=self._packed,
                    observer=NullObserver(),
                    secret=self._store.secret,
                    companions=self._companions,
                    extra=extra,
                )
                rows = session.customers(sorted({customer for customer, *_ in said}))
                known = {row.customer_id: row for row in rows}
                claim(
                    session,
                    [Said(customer=known[c], kind=k, value=v, at=at) for c, (k, v), at in said],
                )
                session.save()
                return
        raise StoreUnavailable("other processes keep linking the same customers; run it again")
