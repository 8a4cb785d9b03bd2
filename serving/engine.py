"""The engine of one worker: the service behind group commit, and what keeps it up to date.

Handlers await; the service blocks. Commands that arrive together are decided together, off the event
loop; reads and refreshes run in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, cast

from nba import ticket_pages
from nba.errors import Correctable, NbaError, StoreUnavailable
from nba.live import Live, LiveSource
from nba.model import (
    Activation,
    Answer,
    Command,
    DecisionRequest,
    Erased,
    Erasure,
    Receipt,
    Reports,
    Result,
    TicketOpening,
    TicketTold,
    TicketUpdate,
)
from nba.service import Service
from nba.stores.group import GroupCommit
from nba.stores.ports import Store
from serving.alerts import Alerts
from serving.disk import Disk
from serving.logs import log, unexpected
from serving.metrics import Metrics
from serving.ticket_requests import Page

_LAST_SECONDS = 4.0  # for what is queued when the server stops
_BULK, _BULKS = 256, 2  # bodies of many take turns, so that who asks for one waits for two batches of them
_LOOK_SECONDS = 10.0  # between two looks at the disk


class Engine:
    """What handlers call. Built by `running`, which also ends it.

    Attributes:
        metrics, alerts: of this worker.
    """

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        live: LiveSource,
        metrics: Metrics,
        alerts: Alerts,
        clock: Callable[[], float],
    ) -> None:
        self.metrics = metrics
        self._service = service
        self._store = store
        self._live = live
        self.alerts = alerts
        self._clock = clock
        self._look_again = 0.0
        self._waiting = 0
        self._store_down = False
        self._bulk = asyncio.Semaphore(_BULKS)
        self._group = GroupCommit(self._handle, waited=metrics.waited)

    @property
    def live(self) -> Live:
        """What serves now."""
        return self._live.current

    @property
    def moment(self) -> float | None:
        """Now, epoch seconds; None where time comes with the requests."""
        return self._clock() if self._store.clock == "live" else None

    async def decide(self, request: DecisionRequest) -> Answer:
        """Raises NbaError: what is wrong with this request, or that nothing can be stored now."""
        return cast(Answer, await self._submit(request))

    async def decide_all(self, requests: Sequence[DecisionRequest | NbaError]) -> list[Answer | Exception]:
        """An answer or an error for each, in order; those that are errors already stay so."""
        results = cast(list[Answer | Exception], list(requests))
        places = [i for i, request in enumerate(requests) if isinstance(request, DecisionRequest)]
        for start in range(0, len(places), _BULK):
            some = places[start : start + _BULK]
            async with self._bulk:
                answers = await self._submit_all([cast(DecisionRequest, requests[i]) for i in some])
            for i, answer in zip(some, answers, strict=True):
                results[i] = answer
        return results

    async def report(self, reports: Reports) -> Receipt:
        """Raises StoreUnavailable, Overloaded."""
        return cast(Receipt, await self._submit(reports))

    async def activate(self, decision_id: str) -> None:
        """Raises NotFound, Conflict where it was held too long, StoreUnavailable, Overloaded."""
        await self._submit(Activation(decision_id=decision_id))

    async def trace(self, decision_id: str) -> bytes:
        """Raises NotFound, StoreUnavailable."""
        return await asyncio.to_thread(self._service.decision, decision_id)

    async def customer(self, customer_id: str) -> bytes:
        """The unified view, as JSON. Raises NotFound, Gone, StoreUnavailable."""
        return await asyncio.to_thread(self._service.customer, customer_id, self._clock())

    async def erase(self, customer_id: str, who: str) -> None:
        """Erase the customer and all who are linked. Raises NotFound, Gone, StoreUnavailable, Overloaded."""
        erased = cast(Erased, await self._submit(Erasure(customer_id=customer_id, who=who)))
        log().info("customer_erased", customers=erased.customers, decisions=erased.decisions)

    async def change_ticket(self, command: TicketOpening | TicketUpdate) -> TicketTold:
        """Raises NotFound, Conflict, InvalidInput, StoreUnavailable, Overloaded."""
        return cast(TicketTold, await self._submit(command))

    async def ticket(self, ticket_id: str) -> bytes:
        """Raises NotFound, StoreUnavailable."""
        return await asyncio.to_thread(ticket_pages.ticket, self._store, ticket_id)

    async def tickets(self, page: Page) -> bytes:
        """Raises NotFound, StoreUnavailable."""

        def read() -> bytes:
            return ticket_pages.tickets(self._store, **page)

        return await asyncio.to_thread(read)

    async def outbox(self, after: int, limit: int) -> bytes:
        """Messages with a number above `after`, as JSON. Raises StoreUnavailable."""
        return await asyncio.to_thread(self._service.outbox, after, limit)

    async def ready(self) -> Disk:
        """How much room is left. Raises StoreUnavailable where a decision could not be stored now."""
        await asyncio.to_thread(self._store.ping)
        return await self._look_at_disk()

    async def refresh(self) -> None:
        """Look up what should serve. A failure is logged and counted, and what serves stays."""
        now = self._clock()
        try:
            changed = await asyncio.to_thread(self._live.refresh, now)
        except NbaError as error:
            self.metrics.refresh_failed()
            log().warning("refresh_failed", detail=error.detail)
            return
        except Exception as error:  # a defect here must not stop a worker that can still decide
            self.metrics.refresh_failed()
            log().error("refresh_failed", **unexpected(error))
            return
        if changed:
            watching = [name for name, _ in self.live.watching]
            version = self.live.playbook.version
            ramp = None if self.live.ramp is None else self.live.ramp.publication
            ramped = None if ramp is None else {"policy": ramp.name, "share": ramp.share}
            log().info("serves", policy=self.live.decides, playbook=version, watching=watching, ramp=ramped)
        self.metrics.serves(self.live, now)
        await self._probe()
        if now >= self._look_again:
            self._look_again = now + _LOOK_SECONDS
            await self._look_at_disk()
            await self._count_tickets()

    async def _probe(self) -> None:
        """Whether a store that was down takes writes again, also where nobody asks for a decision."""
        if not self._store_down:
            return
        with contextlib.suppress(StoreUnavailable):  # then it is still down, as was told
            await asyncio.to_thread(self._store.ping)
            self._store_down = False
            self.metrics.recovered()
            self.alerts.off("store_down")

    async def close(self) -> None:
        """Answer what was asked, then stop."""
        await self._group.close(_LAST_SECONDS)

    async def _look_at_disk(self) -> Disk:
        disk = Disk(free_bytes=await asyncio.to_thread(self._store.free_bytes))
        self.metrics.room(disk.free_bytes)
        if disk.low:
            self.alerts.on("disk_low", free_bytes=disk.free_bytes)
        else:
            self.alerts.off("disk_low")
        return disk

    async def _count_tickets(self) -> None:
        """How many are open, and on the live clock how many are late."""
        at = self.moment
        with contextlib.suppress(StoreUnavailable):  # which is told where something has to be stored
            counts = await asyncio.to_thread(self._store.ticket_counts, -math.inf if at is None else at)
            self.metrics.open_tickets(counts)

    def _handle(self, commands: Sequence[Command]) -> list[Result | Exception]:
        started = perf_counter()
        try:
            results = self._service.handle(commands, self._clock())
        except Exception as error:  # whatever it is, it is counted, and raised to who asked
            self.metrics.failed(store=isinstance(error, StoreUnavailable))
            if isinstance(error, StoreUnavailable):
                self._store_down = True
                self.alerts.on("store_down", detail=error.detail)
            raise
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, Correctable):
                log().error("command_failed", **unexpected(result))
        self.metrics.committed(len(commands), self._waiting, perf_counter() - started)
        self._store_down = False
        self.alerts.off("store_down")
        return results

    async def _submit(self, command: Command) -> Any:
        self._waiting += 1
        try:
            return await self._group.submit(command)
        finally:
            self._waiting -= 1

    async def _submit_all(self, commands: Sequence[Command]) -> list[Any]:
        self._waiting += len(commands)
        try:
            return await self._group.submit_all(commands)
        finally:
            self._waiting -= len(commands)


@asynccontextmanager
async def running(engine: Engine, refresh_seconds: float) -> AsyncIterator[None]:
    """Refresh now and every `refresh_seconds`; at the end drain the commands."""
    await engine.refresh()
    task = asyncio.create_task(_refreshing(engine, refresh_seconds))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await engine.close()


async def _refreshing(engine: Engine, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await engine.refresh()
