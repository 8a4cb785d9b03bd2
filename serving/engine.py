"""The engine of one worker: the service behind group commit, and what keeps it up to date.

Handlers await; the service blocks. Commands that arrive together are decided together, off the event
loop; reads and refreshes run in threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import orjson

from nba.errors import NbaError
from nba.live import Live, LiveSource
from nba.model import Activation, Answer, Command, DecisionRequest, Receipt, Reports, Result
from nba.service import Service
from nba.stores.group import GroupCommit
from nba.stores.ports import Store
from serving.logs import log, unexpected
from serving.metrics import Metrics

_LAST_SECONDS = 4.0  # for what is queued when the server stops
_BULK, _BULKS = 256, 8  # bodies of many wait for a turn, so that they never fill the queue


class Engine:
    """What handlers call. Built by `running`, which also ends it.

    Attributes:
        metrics: of this worker.
    """

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        live: LiveSource,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self.metrics = metrics
        self._service = service
        self._store = store
        self._live = live
        self._clock = clock
        self._waiting = 0
        self._bulk = asyncio.Semaphore(_BULKS)
        self._group = GroupCommit(self._handle)

    @property
    def live(self) -> Live:
        """What serves now."""
        return self._live.current

    async def decide(self, request: DecisionRequest) -> Answer:
        """Raises NbaError: what is wrong with this request, or that nothing can be stored now."""
        answer = cast(Answer, await self._submit(request))
        if not answer.repeated:
            self.metrics.decision(orjson.loads(answer.body))
        return answer

    async def decide_all(self, requests: Sequence[DecisionRequest | NbaError]) -> list[Answer | Exception]:
        """An answer or an error for each, in order; those that are errors already stay so."""
        results: list[Answer | Exception] = []
        for start in range(0, len(requests), _BULK):
            async with self._bulk:
                results += await asyncio.gather(*map(self._settled, requests[start : start + _BULK]))
        return results

    async def _settled(self, request: DecisionRequest | NbaError) -> Answer | Exception:
        if isinstance(request, NbaError):
            return request
        try:
            return await self.decide(request)
        except Exception as error:  # it belongs to this item alone
            return error

    async def report(self, reports: Reports) -> Receipt:
        """Raises StoreUnavailable, Overloaded."""
        return cast(Receipt, await self._submit(reports))

    async def activate(self, decision_id: str) -> None:
        """Raises NotFound, Conflict where it was held too long, StoreUnavailable, Overloaded."""
        await self._submit(Activation(decision_id=decision_id))

    async def trace(self, decision_id: str) -> bytes:
        """Raises NotFound, StoreUnavailable."""
        return await asyncio.to_thread(self._service.decision, decision_id)

    async def ping(self) -> None:
        """Raises StoreUnavailable where a decision could not be stored now."""
        await asyncio.to_thread(self._store.ping)

    async def refresh(self) -> None:
        """Look up what should serve. A failure is logged and counted, and what serves stays."""
        now = self._clock()
        try:
            changed = await asyncio.to_thread(self._live.refresh, now)
        except NbaError as error:
            self.metrics.refresh_failures.inc()
            log().warning("refresh_failed", detail=error.detail)
            return
        except Exception as error:  # a defect here must not stop a worker that can still decide
            self.metrics.refresh_failures.inc()
            log().error("refresh_failed", **unexpected(error))
            return
        if changed:
            log().info("serves", policy=self.live.policy_name, playbook=self.live.playbook.version)
        self.metrics.serves(self.live, now)

    async def close(self) -> None:
        """Answer what was asked, then stop."""
        await self._group.close(_LAST_SECONDS)

    def _handle(self, commands: Sequence[Command]) -> list[Result]:
        self.metrics.batch.observe(len(commands))
        self.metrics.waiting.set(self._waiting)
        return self._service.handle(commands, self._clock())

    async def _submit(self, command: Command) -> Any:
        self._waiting += 1
        try:
            return await self._group.submit(command)
        finally:
            self._waiting -= 1


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
