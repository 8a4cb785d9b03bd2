"""`nba trigger` as a process: looks at the customers who are due, in chunks, under a lease.

Each chunk is one write transaction through the same service that decides, so that a second sweeper, also one
that began before the lease was lost, finds a customer looked at or not: nothing goes off twice.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from uuid import uuid4

from nba.errors import Busy, NbaError, StoreUnavailable
from nba.live import LiveSource
from nba.looking import watched, watched_since
from nba.model import Look, Looked, Result
from nba.service import Service
from nba.stores.ports import Lease, Store, WatchRow
from serving.logs import log, unexpected
from serving.sweep_figures import SweepFigures

LEASE = "trigger"
LEASE_SECONDS = 30.0
CHUNK = 500
_PUT_OFF = 3_600.0  # seconds, for a customer whom nobody could look at
_ENLIST, _ENLIST_EVERY = 5_000, 600.0  # customers that came in by files are found so often, seconds


@dataclass(slots=True, kw_only=True)
class Sweeper:
    """One process's.

    Attributes:
        clock: what time it is on the store's clock, epoch seconds.
        figures: what it counts; the service's observer too.
        every: seconds from one look at who is due to the next.
        stopping: set it to end.
    """

    store: Store
    service: Service
    live: LiveSource
    clock: Callable[[], float]
    every: float = 1.0
    figures: SweepFigures = field(default_factory=SweepFigures)
    holder: str = field(default_factory=lambda: f"{socket.gethostname()}.{os.getpid()}.{uuid4().hex[:8]}")
    stopping: threading.Event = field(default_factory=threading.Event)
    _enlist_at: float = 0.0
    _had: bool = True
    _lease: Lease | None = None
    _renew_at: float = 0.0

    def once(self) -> tuple[int, int]:
        """Look at all who are due now: how many those were, and how many triggers and tickets came of it.

        Raises:
            Busy: another sweeper holds the lease.
            StoreUnavailable: what was looked at so far stays so.
        """
        lease = self._leased()
        if lease is None:
            raise Busy("another sweeper holds the lease, until 30 seconds after its last sign")
        try:
            return self._sweep()
        finally:
            self._end(lease)

    def run(self) -> None:
        """Go on until `stopping` is set."""
        while not self.stopping.is_set():
            try:
                if self._leased() is not None:
                    looked, fired = self._sweep()
                    if fired:
                        log().info("swept", customers=looked, fired=fired)
            except NbaError as error:
                log().warning("sweep_interrupted", detail=error.detail)
            except Exception as error:  # a sweeper that ends in silence would miss everything from then on
                log().error("sweep_failed", **unexpected(error))
            self.stopping.wait(self.every)
        if self._lease is not None:
            self._end(self._lease)

    def _end(self, lease: Lease) -> None:
        self._lease = None
        self.store.give_back(lease)

    def _sweep(self) -> tuple[int, int]:
        self.live.refresh(time.time())
        if not watched(self.live.current.playbook).anything:
            return 0, 0
        at = self.clock()
        if not isfinite(at):
            return 0, 0  # a simulation store in which nothing has happened yet
        since = watched_since(self.store, self.live.current.playbook, lambda: at)
        self._enlist()
        looked = fired = 0
        while not self.stopping.is_set():
            due = self.store.due(at, CHUNK)
            if not due or self._leased() is None:
                break
            moment = None if self.store.clock == "live" else at
            looks = [Look(customer_id=name, at=moment, since=since) for name in due]
            fired += sum(result.fired for result in self._looked(looks, at))
            looked += len(due)
            self.figures.looked(len(due))
        return looked, fired

    def _looked(self, looks: Sequence[Look], at: float) -> list[Looked]:
        """Look at these; one who can't be looked at is put off, and holds up nobody."""
        results: Sequence[Result | Exception]
        try:
            results = self.service.handle(looks, at)
        except StoreUnavailable:
            raise
        except Exception as error:  # of one alone: a state that can't be read, or a defect here
            results = [error]
        for one, result in zip(looks, results, strict=True):
            if isinstance(result, Exception):
                log().error("look_failed", **unexpected(result))
                self._put_off(one.customer_id, at)
        return [result for result in results if isinstance(result, Looked)]

    def _put_off(self, customer_id: str, at: float) -> None:
        with self.store.transaction() as transaction:
            customer = transaction.customers([], [customer_id]).get(customer_id)
            if customer is None:
                return  # erased meanwhile
            surrogate = customer.surrogate
            known = transaction.watches([surrogate]).get(surrogate)
            row = known or WatchRow(surrogate=surrogate, due_at=at)
            transaction.save_watches([replace(row, due_at=at + _PUT_OFF)])

    def _enlist(self) -> None:
        """Put on the list who is not on it."""
        if time.monotonic() < self._enlist_at:
            return
        while self.store.enlist(_ENLIST) == _ENLIST and not self.stopping.is_set():
            if self._leased() is None:
                return
        self._enlist_at = time.monotonic() + _ENLIST_EVERY

    def _leased(self) -> Lease | None:
        """The lease, renewed now and then: each renewal is a write."""
        now = time.monotonic()
        if self._lease is not None and now < self._renew_at:
            return self._lease
        lease = self._lease = self.store.lease(LEASE, self.holder, time.time(), LEASE_SECONDS)
        self._renew_at = now + LEASE_SECONDS / 3
        if lease is None and self._had:
            log().info("waiting", detail="another sweeper holds the lease")
        self._had = lease is not None
        return lease
