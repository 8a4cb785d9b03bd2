"""Group commit when too much comes, and when the store is down: who is refused, and who is not."""

from __future__ import annotations

import asyncio

import pytest

from nba.errors import Overloaded, StoreUnavailable
from nba.stores.group import PAUSE_SECONDS, GroupCommit
from tests.stores.desk import Clock, Desk, gathered


def test_a_failed_store_fails_all_that_wait_and_whoever_comes_until_it_is_tried_again() -> None:
    async def scene() -> None:
        desk = Desk(opened=False)
        group = GroupCommit(desk, max_batch=1)
        failing = asyncio.gather(*map(group.submit, ["full disk", "behind", "last"]), return_exceptions=True)
        await desk.busy()
        desk.gate.set()
        assert [type(result) for result in await failing] == [StoreUnavailable] * 3
        with pytest.raises(StoreUnavailable, match="a moment ago"):
            await group.submit("at once")
        assert [str(r) for r in await group.submit_all(["x", "y"])] == ["the store failed a moment ago"] * 2
        assert desk.batches == [["full disk"]]
        await asyncio.sleep(PAUSE_SECONDS)
        assert await group.submit("again") == "AGAIN"
        assert await group.submit("and again") == "AND AGAIN"
        await group.close()

    asyncio.run(scene())


def test_while_a_failed_store_is_tried_again_nobody_else_waits_for_it() -> None:
    async def scene() -> None:
        desk = Desk()
        group = GroupCommit(desk)
        for _ in range(2):
            desk.gate.set()
            with pytest.raises(StoreUnavailable, match="full"):
                await group.submit("full disk")
            await asyncio.sleep(PAUSE_SECONDS)
            desk.shut()
            trying = asyncio.create_task(group.submit("full disk"))
            await desk.busy()
            with pytest.raises(StoreUnavailable, match="a moment ago"):
                await group.submit("at once")
            desk.gate.set()
            with pytest.raises(StoreUnavailable, match="full"):
                await trying
            await asyncio.sleep(PAUSE_SECONDS)
        await group.close()

    asyncio.run(scene())


def test_who_would_wait_too_long_is_refused_at_once_and_who_sends_many_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Batches of one command take 50 ms: behind the running one and another the wait is 100 ms."""
    clock = Clock(monkeypatch)

    async def scene() -> None:
        desk = Desk(clock=clock, seconds=0.05)
        group = GroupCommit(desk, max_batch=1, max_wait=0.08)
        for i in range(20):
            await group.submit(f"{i}")
        desk.shut()
        running = asyncio.create_task(group.submit("running"))
        await desk.busy()
        behind = asyncio.create_task(group.submit("behind"))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match=r"more than 0\.08 seconds"):
            await group.submit("third")
        patient = asyncio.create_task(group.submit_all(["fourth", "fifth"]))
        await asyncio.sleep(0)
        desk.gate.set()
        assert await gathered([running, behind]) == ["RUNNING", "BEHIND"]
        assert await patient == ["FOURTH", "FIFTH"]
        assert await group.submit("sixth") == "SIXTH"
        assert ["third"] not in desk.batches
        await group.close()

    asyncio.run(scene())


def test_a_burst_that_makes_one_batch_is_no_overload_however_slow_single_commands_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """200 times the 20 ms of a single command would be four seconds; together they take 20 ms."""
    clock = Clock(monkeypatch)

    async def scene() -> None:
        desk = Desk(clock=clock, seconds=0.02)
        group = GroupCommit(desk)
        for i in range(10):
            await group.submit(f"{i}")
        desk.shut()
        words = [f"word {i}" for i in range(200)]
        burst = asyncio.gather(*(group.submit(word) for word in words))
        await desk.busy()
        desk.gate.set()
        assert await burst == [word.upper() for word in words]
        await group.close()

    asyncio.run(scene())


def test_a_full_queue_refuses_at_once_and_what_is_in_it_is_answered() -> None:
    async def scene() -> None:
        desk = Desk(opened=False)
        group = GroupCommit(desk, max_queue=2)
        first = asyncio.create_task(group.submit("first"))
        await desk.busy()
        queued = [asyncio.create_task(group.submit(word)) for word in ("a", "b")]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="2 commands are waiting"):
            await group.submit("c")
        desk.gate.set()
        assert await gathered([first, *queued]) == ["FIRST", "A", "B"]
        assert await group.submit("c") == "C"
        assert desk.batches == [["first"], ["a", "b"], ["c"]]
        await group.close()

    asyncio.run(scene())
