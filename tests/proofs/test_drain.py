"""SIGTERM under load: who was let in is answered, and the server ends within ten seconds with code 0."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.proofs.books import Books, agree
from tests.proofs.connections import Connection, Reply, Request, ask_once
from tests.proofs.servers import alone
from tests.proofs.witness import DECISIONS, Talk, Witness, consents, never, talk
from tests.serving.running import Serve, sample

DRAINED_SECONDS = 10.0
LOCKED_SECONDS = 1.0


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Another program holds the store: nothing can be written meanwhile."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
    else:
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain) as connection:
            connection.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
            yield
            connection.rollback()


async def _terminated(server: Serve) -> None:
    """SIGTERM, and wait for the end."""
    started = time.monotonic()
    server.process.terminate()
    while server.process.poll() is None:
        assert time.monotonic() - started < DRAINED_SECONDS
        await asyncio.sleep(0.01)
    assert server.process.returncode == 0


@pytest.mark.parametrize(
    "workers",
    [pytest.param((), id="one"), pytest.param(("--workers", "2"), id="two", marks=pytest.mark.slow)],
)
def test_everybody_whose_request_was_taken_in_is_answered_though_the_store_is_slow(
    tmp_path: Path, url: str, workers: tuple[str, ...]
) -> None:
    """`100 Continue` is the server's word that it has taken a request in; the bodies come after that."""
    requests = [Request.to(DECISIONS, customer_id=f"c-{n}", decision_id=f"d-{n}") for n in range(64)]

    async def all_wait(server: Serve) -> list[Reply]:
        connections = [await Connection.to(server.address) for _ in requests]
        for connection, request in zip(connections, requests, strict=True):
            connection.write(request.head("expect: 100-continue"))
            assert (await connection.reply(0.0)).status == 100
        with locked(url):
            for connection, request in zip(connections, requests, strict=True):
                connection.write(request.body or b"")
            end = asyncio.create_task(_terminated(server))
            await asyncio.sleep(LOCKED_SECONDS)
            assert server.process.poll() is None
        replies = [await connection.reply(0.0) for connection in connections]
        await end
        return replies

    with alone(tmp_path / "server", url, *workers) as server:
        replies = asyncio.run(all_wait(server))
    assert [reply.status for reply in replies] == [201] * len(requests)
    stored = {row.decision_id: row.body for row in Books.of(url).decisions}
    assert stored == {f"d-{n}": reply.body for n, reply in enumerate(replies)}


@pytest.mark.slow
def test_a_server_that_ends_under_load_has_answered_all_that_it_stored(tmp_path: Path, url: str) -> None:
    """Three times at random moments; another server on the store goes on meanwhile and refuses nobody."""
    rng, witness = Random(4), Witness()
    customers = [f"c-{n}" for n in range(200)]

    async def load(stays: Serve, ends: Serve, turn: int) -> None:
        over = asyncio.Event()
        mine, others = (
            [Talk(f"{who}{turn}-{i}", customers, Random(f"{who}{turn}-{i}")) for i in range(32)]
            for who in ("ends", "stays")
        )
        going = [
            asyncio.create_task(talk(server.address, witness, talks, over, 1_000, never))
            for server, talks in ((ends, mine), (stays, others))
        ]
        enough = len(witness.told) + 200
        while len(witness.told) < enough:
            await asyncio.sleep(0.01)
        await asyncio.sleep(rng.uniform(0.0, 0.5))
        await _terminated(ends)
        over.set()
        _, hung_up = await asyncio.gather(*going)
        assert hung_up == 0, "the server that stays has let clients down"

    with alone(tmp_path / "stays", url) as stays:
        agreeing = consents(customers)
        witness.told[agreeing] = asyncio.run(ask_once(stays.address, agreeing))
        for turn in range(3):
            with alone(tmp_path / "ends", url, "--workers", "2") as ends:
                asyncio.run(load(stays, ends, turn))
    assert not witness.refused
    witness.open.clear()  # what was not answered must not be in the books
    agree(Books.of(url), witness, sample())
