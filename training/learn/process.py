"""`nba learn` as a process: one thread watches every few seconds, another learns when there is something to.

Only who holds the lease does anything; a second learner waits for it to end. A process may be killed at
any point: all that counts is in the store, each step in one transaction.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from uuid import uuid4

import orjson

from nba.errors import Busy, Conflict, NbaError, StoreUnavailable
from nba.record import timestamp
from nba.stores.ports import Lease, Store
from training.learn.loop import Loop, Tell
from training.learn.patience import Patience
from training.learn.steps import Step
from training.learn.waiting import NOTHING_YET

LEASE, CYCLE = "learn", "learn.cycle"
LEASE_SECONDS = 180.0  # longer than a watch takes, which renews it
_DEEPEST = 8  # lines of an unforeseen error that are told


@dataclass(slots=True, kw_only=True)
class Process:
    """The loop under its lease.

    Attributes:
        clock: what time it is on the store's clock, epoch seconds.
        every: seconds from one look to the next.
        stopping: set it to end.
    """

    store: Store
    loop: Loop
    clock: Callable[[], float]
    tell: Tell
    every: float = 5.0
    holder: str = field(default_factory=lambda: f"{socket.gethostname()}.{os.getpid()}.{uuid4().hex[:8]}")
    stopping: threading.Event = field(default_factory=threading.Event)
    _learner: threading.Thread | None = None
    _again_at: float = 0.0
    _had: bool | None = None
    _waits_told: bool = False
    _patience: Patience = field(init=False)

    def __post_init__(self) -> None:
        self._patience = Patience(self.store)

    def once(self) -> None:
        """Watch, learn and send, each once.

        Raises:
            Busy: another learner holds the lease, or took it over, or something else came to serve meanwhile.
            NotEnoughData, StoreUnavailable, …: as the loop does.
        """
        lease = self._lease()
        if lease is None:
            raise Busy(
                "another learner holds the lease, until it ends or three minutes after its last sign;"
                " run this again then"
            )
        try:
            as_of = self.clock()
            if not math.isfinite(as_of):
                self.tell(NOTHING_YET)
                return
            while self.loop.watch(as_of, lease):
                pass  # a rollback is followed by a look at what serves then
            self._learn(as_of, lease)
            if not self.loop.told:
                self.tell(self.loop.waits(as_of))
        except Conflict as error:
            raise Busy(error.detail) from None
        finally:
            self.store.give_back(lease)

    def run(self) -> None:
        """Go on until `stopping` is set; what is being learned then is given up."""
        while not self.stopping.is_set():
            lease = None
            try:
                lease = self._leased()
                if lease is not None:
                    self._look(lease)
            except StoreUnavailable as error:
                self.tell(Step(event="store_unavailable", said=error.detail, fields={}))
            except Conflict as error:
                self.tell(Step(event="lease_lost", said=error.detail, fields={}))
            except Exception as error:  # a watch that ends in silence would watch nothing for months
                self.tell(_unforeseen("watch_failed", error))
            self.stopping.wait(self.every)
        self._end()

    def _look(self, lease: Lease) -> None:
        as_of = self.clock()
        if not math.isfinite(as_of):
            return  # a simulation store in which nothing has happened yet
        self.loop.watch(as_of, lease)
        idle = self._learner is None or not self._learner.is_alive()
        if idle and time.monotonic() >= self._again_at:
            self._learner = threading.Thread(
                target=self._learn_or_tell, args=(as_of, lease), name="learner", daemon=True
            )
            self._learner.start()

    def _learn_or_tell(self, as_of: float, lease: Lease) -> None:
        """Watching goes on whatever goes wrong here; it is tried again, with growing pauses."""
        began = time.monotonic()
        try:
            self._learn(as_of, lease)
        except Conflict as error:
            self._paused("learning_given_up", error, began)
        except Exception as error:  # a thread that dies in silence would end learning for months
            self._paused("learning_failed", error, began)
        else:
            self._say_what_for(as_of)

    def _paused(self, event: str, error: Exception, began: float) -> None:
        """Tell what went wrong, and when it is tried again."""
        pause = self._patience.failed(time.monotonic() - began)
        self._again_at = time.monotonic() + pause
        step = _unforeseen(event, error)
        fields = {**step.fields, "again_in": round(pause, 1), "in_a_row": self._patience.failures}
        self.tell(replace(step, said=f"{step.said}; tried again in {pause:,.0f} seconds", fields=fields))

    def _learn(self, as_of: float, lease: Lease) -> None:
        self.loop.begins = lambda: self._patience.begins(lease)
        self.loop.learn(as_of, lease)
        told = {"as_of": timestamp(as_of), "moment": as_of, "holder": self.holder}
        self.store.keep(CYCLE, orjson.dumps(told), lease=lease)
        self._patience.ended(lease)
        self.loop.send()

    def _say_what_for(self, as_of: float) -> None:
        """Once in a process that has had nothing to do so far."""
        if not self._waits_told and not self.loop.told:
            self._waits_told = True
            self.tell(self.loop.waits(as_of))

    def _leased(self) -> Lease | None:
        """The lease, where it is ours; whether it is, is told when it changes."""
        lease = self._lease()
        had, self._had = self._had, lease is not None
        if self._had and not had:
            self.tell(Step(event="lease_taken", said="this learner holds the lease", fields={}))
            self._take_up()
        elif had is None or (had and not self._had):
            said = "another learner holds the lease; this one stands by, and takes over when that one ends"
            self.tell(Step(event="waiting", said=said, fields={}))
        return lease

    def _take_up(self) -> None:
        """Where a learner before died of a retraining, don't begin the same at once."""
        left = self._patience.left()
        if left > 0:
            self._again_at = time.monotonic() + left
            said = f"a retraining did not come to its end, {self._patience.failures} in a row"
            fields = {"again_in": round(left, 1), "in_a_row": self._patience.failures}
            said = f"{said}; learning begins again in {left:,.0f} seconds"
            self.tell(Step(event="learning_failed", said=said, fields=fields))

    def _lease(self) -> Lease | None:
        return self.store.lease(LEASE, self.holder, time.time(), LEASE_SECONDS)

    def _end(self) -> None:
        """Give the lease back, so that the next learner need not wait for it to end."""
        lease = self._lease()
        if lease is not None:
            self._patience.given_up(lease)
            self.store.give_back(lease)


def _unforeseen(event: str, error: Exception) -> Step:
    """What may be told of an error: ours in their words, others by type and place, not by their message."""
    if isinstance(error, NbaError):
        return Step(event=event, said=error.detail, fields={"error": type(error).__name__})
    lines = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
    fields = {"error": type(error).__name__, "at": lines[-_DEEPEST:]}
    return Step(event=event, said="an error that nobody foresaw", fields=fields)
