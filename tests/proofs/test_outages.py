"""The store goes away under load and comes back: told at once, nothing half done, no restart needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from tests.proofs.books import Books, agree
from tests.proofs.cluster import private_cluster
from tests.proofs.connections import Request, ask_once
from tests.proofs.disks import MIB, immutable, no_file_may_grow, small_disk
from tests.proofs.servers import alone
from tests.proofs.witness import Talk, Witness, consents, for_now, talk
from tests.serving.running import Serve, sample

CLIENTS, TURNS = 16, 3_000
CUSTOMERS = [f"c-{n}" for n in range(200)]
PATIENCE = 30.0  # for what comes back by itself
AT_ONCE = 5.0  # a second or so, and room for a machine that is busy
READY = Request(path="/readyz")


@asynccontextmanager
async def loaded(server: Serve, witness: Witness, clients: int = CLIENTS) -> AsyncIterator[None]:
    """Clients that go on all the time; each is answered, with a 503 where it can't be done now."""
    agreeing = consents(CUSTOMERS)
    witness.told[agreeing] = await ask_once(server.address, agreeing)
    over = asyncio.Event()
    talks = [Talk(f"o-{i}", CUSTOMERS, Random(i)) for i in range(clients)]
    going = asyncio.create_task(talk(server.address, witness, talks, over, TURNS, for_now))
    try:
        yield
    finally:
        over.set()
        hung_up = await going
    assert hung_up == 0


async def comes(condition: Callable[[], bool]) -> None:
    """Wait for it."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it did not come"
        await asyncio.sleep(0.02)


async def more_is_done(witness: Witness) -> None:
    """The load gets through: many requests, so not only those that were on their way."""
    enough = len(witness.told) + 10 * CLIENTS
    await comes(lambda: len(witness.told) >= enough)


async def more_is_refused(witness: Witness) -> None:
    enough = len(witness.refused) + 2 * CLIENTS
    await comes(lambda: len(witness.refused) >= enough)


async def is_told(server: Serve, witness: Witness) -> None:
    """It is alive and not ready, and nobody has waited long to hear of it."""
    assert for_now(await ask_once(server.address, READY))
    assert (await ask_once(server.address, Request(path="/healthz"))).status == 200
    assert all(reply.seconds < AT_ONCE for reply in witness.refused)


async def ready_again(server: Serve) -> None:
    until = time.monotonic() + PATIENCE
    while (reply := await ask_once(server.address, READY)).status != 200:
        assert time.monotonic() < until, reply
        await asyncio.sleep(0.05)


def holds(url: str, server: Serve, witness: Witness) -> None:
    """After all that, what was answered is there once, and nothing is half done."""
    asyncio.run(witness.settle(server.address))
    agree(Books.of(url), witness, sample())


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["one", "two"])
def test_postgresql_may_stop_and_start_under_load(tmp_path: Path, workers: Sequence[str]) -> None:
    async def twice(server: Serve) -> None:
        async with loaded(server, witness):
            for _ in range(2):
                await more_is_done(witness)
                await asyncio.to_thread(cluster.stop)
                await more_is_refused(witness)
                await is_told(server, witness)
                await asyncio.to_thread(cluster.start)
                await ready_again(server)
            await more_is_done(witness)

    witness = Witness()
    with private_cluster() as cluster, alone(tmp_path / "server", cluster.url, *workers) as server:
        asyncio.run(twice(server))
        holds(cluster.url, server, witness)


@pytest.mark.slow
def test_sqlite_on_a_disk_that_fills_up_refuses_until_there_is_room(tmp_path: Path) -> None:
    """With less than 64 MiB the server is not ready but still decides; with nothing left it refuses."""

    async def fill(server: Serve) -> None:
        async with loaded(server, witness, clients=4):
            await more_is_done(witness)
            assert (await ask_once(server.address, READY)).status == 200
            disk.leave(48 * MIB)
            nearly = await ask_once(server.address, READY)
            assert (for_now(nearly), nearly.json()["type"]) == (True, "/problems/no-room")
            await more_is_done(witness)
            assert not witness.refused
            disk.leave(0)
            await more_is_refused(witness)
            await is_told(server, witness)
            disk.clear()
            await ready_again(server)
            await more_is_done(witness)

    witness = Witness()
    with small_disk(tmp_path / "disk", 192 * MIB) as disk:
        url = f"sqlite:///{disk.folder / 'nba.db'}"
        with alone(tmp_path / "server", url) as server:
            asyncio.run(fill(server))
            holds(url, server, witness)


def _no_room(server: Serve, store: Path) -> AbstractContextManager[None]:
    """What is in the log by now is all that fits."""
    return no_file_may_grow(server.process.pid, store.with_name("nba.db-wal").stat().st_size)


def _read_only(server: Serve, store: Path) -> AbstractContextManager[None]:
    return immutable(store, store.with_name("nba.db-wal"))


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [_no_room, _read_only], ids=["no room", "read-only"])
def test_sqlite_that_can_not_be_written_refuses_until_it_is_mended(
    tmp_path: Path, trouble: Callable[[Serve, Path], AbstractContextManager[None]]
) -> None:
    async def twice(server: Serve) -> None:
        async with loaded(server, witness):
            for _ in range(2):
                await more_is_done(witness)
                with trouble(server, store):
                    await more_is_refused(witness)
                    await is_told(server, witness)
                await ready_again(server)
            await more_is_done(witness)

    witness, store = Witness(), tmp_path / "nba.db"
    with alone(tmp_path / "server", f"sqlite:///{store}") as server:
        asyncio.run(twice(server))
        holds(f"sqlite:///{store}", server, witness)
