"""A courier brings the outbox to one target: in order, at least once, however often either of them dies.

What is behind the cursor was taken, or has a row of its own: waiting for another try, or dead after too many.
So one bad message holds up nobody. When a failure speaks of the target itself, nothing else is tried until
its pause is over; the pause grows with each failure in a row and is over with the first success.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from nba.playbook.reactions import Retries
from nba.stores.ports import DeliveryRow, Lease, OutboxRow, Store
from serving.delivery.figures import Figures
from serving.delivery.message import Failure
from serving.delivery.target import Target
from serving.logs import log, unexpected

BATCH = 50
CALLED_OFF = "decision.erased"
"""The one message about a customer who was erased: a contact of theirs must not be sent any more."""
_SETTLE_SECONDS = 1.0  # what was taken is noted at least so often: so much may come twice after a crash
_JITTER = 0.2


def pause(failures: int, retries: Retries, chance: float) -> float:
    """Seconds after so many failures: pause · 2^(n − 1), at most `longest`, give or take a fifth.

    Args:
        chance: uniform in [0, 1).
    """
    length = min(retries.longest, retries.pause * 2.0 ** min(failures - 1, 60))
    return length * (1 + _JITTER * (2 * chance - 1))


@dataclass(slots=True)
class _Item:
    """A message on its way, and how often it was tried before."""

    row: OutboxRow
    tries: int = 0
    kept: bool = False  # it has a row of its own


@dataclass(slots=True)
class _Round:
    """What became of the messages of a round."""

    keep: list[DeliveryRow] = field(default_factory=list)
    drop: list[int] = field(default_factory=list)
    through: int | None = None
    done: int = 0


class Courier:
    """One target's. `step` is called again and again by one task."""

    def __init__(
        self,
        target: Target,
        store: Store,
        *,
        figures: Figures,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.target = target
        self._store = store
        self._figures = figures
        self._clock = clock
        self._chance = chance
        self._strikes = 0
        self._leave_until = 0.0
        self._cursor: int | None = None

    def begin(self) -> None:
        """Ask the store how far this target is: another deliverer may have worked meanwhile."""
        self._cursor = None

    async def step(self, lease: Lease | None = None) -> int:
        """Deliver what is due now, a batch at most; how many messages were dealt with.

        Raises:
            Conflict: the lease is another's now; what was sent may be sent again by them.
            StoreUnavailable: likewise, later, by this one.
        """
        if self._clock() < self._leave_until:
            return 0
        if self._cursor is None:
            self._cursor = await asyncio.to_thread(self._begin)
        waiting = await asyncio.to_thread(self._waiting)
        fresh = await asyncio.to_thread(self._store.outbox, self._cursor, BATCH)
        if not waiting and not fresh:
            return 0
        found = _Round()
        try:
            if await self._bring(waiting, found):
                await self._bring_fresh(fresh, found)
        finally:  # also where this is cancelled: what was taken need not be sent again
            await asyncio.shield(asyncio.to_thread(self._settle, found, lease))
        return found.done

    def _begin(self) -> int:
        """The number behind which this target begins."""
        known = self._store.delivered(self.target.name)
        if known is not None:
            return known
        number = 0
        since = self._clock() - self.target.since if self._store.clock == "live" else float("-inf")
        while rows := self._store.outbox(number, 1_000):
            for row in rows:
                if row.at >= since:
                    return number
                number = row.number
        return number

    def _waiting(self) -> list[_Item]:
        """What is due for another try. What was pruned meanwhile is let go."""
        rows = self._store.deliveries(self.target.name, "waiting", self._clock(), BATCH)
        if not rows:
            return []
        messages = {row.number: row for row in self._store.messages([row.number for row in rows])}
        gone = [row.number for row in rows if row.number not in messages]
        if gone:
            self._store.settle_deliveries(self.target.name, through=None, keep=(), drop=gone)
        return [_Item(messages[r.number], r.tries, kept=True) for r in rows if r.number in messages]

    async def _bring_fresh(self, rows: Sequence[OutboxRow], found: _Round) -> None:
        """In the order of the outbox. The cursor follows what is dealt with."""
        started, size = time.monotonic(), self.target.parallel
        wanted: list[OutboxRow] = []
        for row in rows:
            until = self.target.not_before(row) if self.target.wants(row) else None
            if until is not None and until > self._clock():
                found.keep.append(_row(self.target.name, row, 0, until, "waits for its time"))
            elif self.target.wants(row):
                wanted.append(row)
            last = row is rows[-1]
            if len(wanted) == size or (last and wanted):
                going = await self._bring([_Item(one) for one in wanted], found)
                wanted = []
                found.through = row.number
                if not going or time.monotonic() - started > _SETTLE_SECONDS:
                    return
            elif not wanted:
                found.through = row.number

    async def _bring(self, items: Sequence[_Item], found: _Round) -> bool:
        """Send these, so many at a time; False where the target is down, and the rest is for later.

        Whom they are about is asked right before: of who was erased a moment ago nothing is told any more,
        however long those before them took.
        """
        size = self.target.parallel
        for start in range(0, len(items), size):
            some = items[start : start + size]
            names = await asyncio.to_thread(self._store.names, list({i.row.surrogate for i in some}))
            results = await asyncio.gather(*(self._send(item, names) for item in some))
            failures = [self._noted(i, r, found) for i, r in zip(some, results, strict=True)]
            if any(failure is not None and failure.down for failure in failures):
                return False
        return True

    async def _send(self, item: _Item, names: dict[str, str]) -> Failure | None:
        customer_id = names.get(item.row.surrogate)
        if customer_id is None and item.row.type != CALLED_OFF:  # erased: there is nobody to speak of
            return None
        try:
            return await self.target.send(item.row, customer_id)
        except Exception as error:  # a defect in one target's code must not stop the others
            log().error("delivery_defect", target=self.target.name, **unexpected(error))
            return Failure(reason=f"a defect here, {type(error).__name__}", down=False)

    def _noted(self, item: _Item, failure: Failure | None, found: _Round) -> Failure | None:
        found.done += 1
        name, number = self.target.name, item.row.number
        if failure is None:
            self._strikes, self._leave_until = 0, 0.0
            self._figures.count(name, "sent")
            if item.kept:
                found.drop.append(number)
            return None
        now, tries, retries = self._clock(), item.tries + 1, self.target.retries
        wait = max(pause(tries, retries, self._chance()), min(failure.after, retries.longest))
        if failure.down:
            self._strikes += 1
            wait = max(wait, pause(self._strikes, retries, self._chance()))
            self._leave_until = max(self._leave_until, now + wait)
        row = _row(name, item.row, tries, now + wait, failure.reason)
        dead = tries >= retries.tries
        found.keep.append(replace(row, status="dead") if dead else row)
        self._figures.count(name, "dead" if dead else "failed")
        level = log().error if dead else log().warning
        level(
            "dead_letter" if dead else "delivery_failed",
            target=name,
            number=number,
            type=item.row.type,
            tries=tries,
            reason=failure.reason,
        )
        return failure

    def _settle(self, found: _Round, lease: Lease | None) -> None:
        if not (found.keep or found.drop or found.through is not None):
            return
        self._store.settle_deliveries(
            self.target.name, through=found.through, keep=found.keep, drop=found.drop, lease=lease
        )
        if found.through is not None:
            self._cursor = found.through


def _row(target: str, message: OutboxRow, tries: int, due_at: float, reason: str) -> DeliveryRow:
    return DeliveryRow(
        target=target,
        number=message.number,
        tries=tries,
        due_at=due_at,
        status="waiting",
        reason=reason,
        at=message.at,
    )
