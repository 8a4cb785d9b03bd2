"""How long to leave learning alone after it went wrong: twice as long each time in a row, up to an hour.

Kept in the store before a retraining begins: one that takes its process with it, for want of memory say, is
known of by the next process, which else would begin the same at once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import orjson

from nba.stores.ports import Lease, Store

ATTEMPT = "learn.attempt"
FIRST, LONGEST = 5.0, 3_600.0  # seconds


@dataclass(slots=True)
class Patience:
    """Of the learners of one store, one after another.

    Attributes:
        failures: attempts in a row that did not come to their end.
    """

    store: Store
    failures: int = 0
    _begun: bool = False

    def left(self) -> float:
        """What a process that starts has to wait, seconds: an earlier one may have died of its attempt."""
        held = self.store.kept(ATTEMPT)
        if held is None:
            return 0.0
        told = orjson.loads(held)
        self.failures = int(told["failures"])
        return min(max(float(told["until"]) - time.time(), 0.0), LONGEST)

    def begins(self, lease: Lease) -> None:
        """A retraining begins; should nobody say how it ended, it has failed. Raises Conflict: see `keep`."""
        self._begun = True
        self._keep(self.failures + 1, time.time() + _pause(self.failures + 1), lease)

    def ended(self, lease: Lease) -> None:
        """What was begun came to its end, or was given up for another reason than its own."""
        if self._begun or self.failures:
            self._keep(0, 0.0, lease)
        self.failures, self._begun = 0, False

    def failed(self, took: float) -> float:
        """Seconds until it may be tried again: no less than what the attempt `took`, within the longest."""
        self.failures, self._begun = self.failures + 1, False
        return min(max(_pause(self.failures), took), LONGEST)

    def given_up(self, lease: Lease) -> None:
        """The process ends in the middle, by its operator's wish."""
        if self._begun:
            self._keep(self.failures, 0.0, lease)

    def _keep(self, failures: int, until: float, lease: Lease) -> None:
        self.store.keep(ATTEMPT, orjson.dumps({"failures": failures, "until": until}), lease=lease)


def _pause(failures: int) -> float:
    return float(min(FIRST * 2.0 ** min(failures - 1, 30), LONGEST))
