"""`kill -9` at random moments under load: what was answered is there, once; the rest is whole or absent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from tests.proofs.books import Books, agree
from tests.proofs.connections import ask_once
from tests.proofs.servers import alone, kill_9
from tests.proofs.witness import Talk, Witness, consents, never, talk
from tests.serving.running import Serve, sample

KILLS, CLIENTS, TURNS = 30, 16, 60
CUSTOMERS = 40
LONGEST = 0.5  # seconds from the first answers to the kill


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_was_answered_survives_thirty_kills_at_random_moments_once(tmp_path: Path, url: str) -> None:
    """Every sixth server has two workers, which die with it; each is asked what the one before it did."""
    rng, all_told, last = Random(3), Witness(), Witness()
    broken_off = 0
    for turn in range(KILLS + 1):
        with alone(tmp_path / "server", url, *_workers(turn)) as server:
            asyncio.run(last.settle(server.address))
            all_told.told |= last.told
            if turn < KILLS:
                last = asyncio.run(_load_and_kill(server, rng, turn))
                broken_off += bool(last.open)
    assert broken_off > KILLS // 2, "most kills have to hit requests that wait for their answers"
    agree(Books.of(url), all_told, sample())


def _workers(turn: int) -> Sequence[str]:
    return ("--workers", "2") if turn % 6 == 5 else ()


async def _load_and_kill(server: Serve, rng: Random, turn: int) -> Witness:
    witness, customers = Witness(), [f"c-{turn}-{n}" for n in range(CUSTOMERS)]
    agreeing = consents(customers)
    witness.told[agreeing] = await ask_once(server.address, agreeing)
    talks = [Talk(f"k{turn}-{i}", customers, Random(f"{turn}-{i}")) for i in range(CLIENTS)]
    load = asyncio.create_task(talk(server.address, witness, talks, asyncio.Event(), TURNS, never))
    while len(witness.told) == 1 and not load.done():
        await asyncio.sleep(0.001)
    await asyncio.sleep(rng.uniform(0.0, LONGEST))
    kill_9(server)
    await load
    return witness
