"""`nba deliver` as a process: one task a target, so that a slow one holds up nobody, all under one lease.

A second deliverer on the same store waits. Whatever kills the process, what was not noted as taken is sent
again by the next one.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from nba.errors import Busy, Conflict, NbaError
from nba.stores.ports import Lease, Store
from serving.delivery.courier import Courier
from serving.delivery.figures import Figures
from serving.logs import log, unexpected

LEASE = "deliver"
LEASE_SECONDS = 6.0
_RENEW_SECONDS = 2.0
_PAUSE = 2.0  # after a failure of the store


@dataclass(kw_only=True)
class Process:
    """All couriers of a store.

    Attributes:
        every: seconds from one look at an empty outbox to the next.
        stopping: set it to end.
    """

    store: Store
    couriers: Sequence[Courier]
    figures: Figures
    every: float = 0.25
    holder: str = field(default_factory=lambda: f"{socket.gethostname()}.{os.getpid()}.{uuid4().hex[:8]}")
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _waits: bool = False

    async def once(self) -> int:
        """Deliver until nothing is due; how many messages were dealt with.

        Raises:
            Busy: another deliverer holds the lease.
        """
        lease = await self._leased()
        if lease is None:
            raise Busy(f"another deliverer holds the lease, until {LEASE_SECONDS:g} s after its last sign")
        try:
            return sum(await asyncio.gather(*(self._drained(one, lease) for one in self.couriers)))
        finally:
            await asyncio.to_thread(self.store.give_back, lease)
            await self._close()

    async def run(self) -> None:
        """Go on until `stopping` is set."""
        try:
            while not self.stopping.is_set():
                try:
                    await self._under_lease()
                except NbaError as error:
                    log().warning("delivery_interrupted", detail=error.detail)
                    await self._sleep(_PAUSE)
        finally:
            await self._close()

    async def _under_lease(self) -> None:
        lease = await self._leased()
        if lease is None:
            if not self._waits:
                log().info("waiting", detail="another deliverer holds the lease")
            self._waits = True
            await self._sleep(_RENEW_SECONDS)
            return
        self._waits = False
        for courier in self.couriers:
            courier.begin()
        tasks = [asyncio.create_task(self._going(one, lease)) for one in self.couriers]
        try:
            while not self.stopping.is_set():
                await asyncio.to_thread(self.figures.look, self.store, [c.target.name for c in self.couriers])
                await self._sleep(_RENEW_SECONDS)
                renewed = await self._leased()
                if renewed is None or renewed.token != lease.token:
                    raise Conflict("the lease went to another deliverer")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self.store.give_back, lease)

    async def _going(self, courier: Courier, lease: Lease) -> None:
        """One courier, for as long as the lease is ours; what fails is tried again."""
        while True:
            try:
                if await courier.step(lease):
                    continue
                await asyncio.sleep(self.every)
            except NbaError as error:
                log().warning("delivery_interrupted", target=courier.target.name, detail=error.detail)
                await asyncio.sleep(_PAUSE)
            except Exception as error:  # one target's defect must not end it in silence
                log().error("delivery_defect", target=courier.target.name, **unexpected(error))
                await asyncio.sleep(_PAUSE)

    async def _drained(self, courier: Courier, lease: Lease) -> int:
        done = 0
        while some := await courier.step(lease):
            done += some
        return done

    async def _leased(self) -> Lease | None:
        return await asyncio.to_thread(self.store.lease, LEASE, self.holder, time.time(), LEASE_SECONDS)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            pass

    async def _close(self) -> None:
        for courier in self.couriers:
            await courier.target.close()
