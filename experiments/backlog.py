"""Runs that MLflow was not there for: kept in the store, sent later, in order, none twice.

So learning goes on when MLflow is down. What MLflow refuses for good is set aside, where it holds up nobody.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from experiments.tracking import RunRecord, Tracker
from nba.errors import CorruptArtefact, InvalidInput, StoreUnavailable
from nba.stores.ports import NoteRow, Store

KIND = "mlflow"
REFUSED = "mlflow.refused"
_LEASE = 120.0  # seconds that one run may take to send
_MOST = 50  # that are sent on the way to another: whoever delivers has other work to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What became of a run.

    Attributes:
        run_id: in MLflow; None where it is not there.
        reason: why not, for a person; empty where it is.
    """

    run_id: str | None
    reason: str = ""

    def said(self, uri: str) -> str:
        """One line for a person: where the run is, or why it isn't there yet."""
        if self.run_id is not None:
            return f"logged to {uri}, run {self.run_id}"
        return f"not logged yet: {self.reason}; the run is kept in the store and sent with the next one"


class Backlog:
    """The runs that wait in a store. Several processes may share it: one drains at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._holder = f"{socket.gethostname()}.{os.getpid()}.{uuid4().hex[:8]}"

    def deliver(self, tracker: Tracker, record: RunRecord) -> Delivered:
        """Send a run, after those that wait already; where MLflow can't be reached, keep it.

        Raises:
            StoreUnavailable: it can't be kept either.
        """
        self.drain(tracker, _MOST)
        if self._first() is not None:
            return self._keep(record, KIND, "it waits behind earlier runs, which MLflow has not taken yet")
        try:
            return Delivered(run_id=tracker.send(record))
        except InvalidInput as error:
            return self._keep(record, REFUSED, error.detail)
        except StoreUnavailable as error:
            return self._keep(record, KIND, error.detail)

    def drain(self, tracker: Tracker, most: int | None = None) -> int:
        """Send what waits, in order, and return how many were sent; stop where MLflow can't be reached.

        None are sent while another process is at it.
        """
        sent = 0
        with self._turn() as mine:
            while mine and sent != most and (row := self._first()) is not None and self._renew():
                try:
                    sent += self._send(tracker, row)
                except StoreUnavailable:
                    break
        return sent

    def _send(self, tracker: Tracker, row: NoteRow) -> bool:
        """Whether it was sent; what is refused is set aside. Raises StoreUnavailable."""
        sent = True
        try:
            tracker.send(RunRecord.of_bytes(row.body))
        except (InvalidInput, CorruptArtefact) as error:
            logging.getLogger(__name__).warning("a run is set aside as %s: %s", REFUSED, error.detail)
            self._store.note(REFUSED, row.at, row.body)
            sent = False
        self._store.forget_notes([row.number])
        return sent

    def _keep(self, record: RunRecord, kind: str, reason: str) -> Delivered:
        self._store.note(kind, record.started_at, record.to_bytes())
        return Delivered(run_id=None, reason=reason)

    def _first(self) -> NoteRow | None:
        """One at a time: each may hold a model of many megabytes."""
        return next(iter(self._store.notes(KIND, limit=1)), None)

    @contextmanager
    def _turn(self) -> Iterator[bool]:
        """Whether it is ours to drain, until the end."""
        lease = self._store.lease(KIND, self._holder, time.time(), _LEASE)
        try:
            yield lease is not None
        finally:
            if lease is not None:
                self._store.give_back(lease)

    def _renew(self) -> bool:
        return self._store.lease(KIND, self._holder, time.time(), _LEASE) is not None
