"""Group commit: batches, failures of one and of all, overload, cancelled submitters, the end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest

from nba.errors import InvalidInput, Overloaded, StoreUnavailable
from nba.stores.group import GroupCommit

Answer = str | Exception


class Desk:
    """Handles batches of words: notes them, waits at its gate, answers in capitals."""

    def __init__(self, *, opened: bool = True) -> None:
        self.batches: list[list[str]] = []
        self.threads: set[int] = set()
        self.gate = threading.Event()
        self.inside = threading.Event()
        if opened:
            self.gate.set()

    def __call__(self, commands: Sequence[str]) -> list[Answer]:
        self.batches.append(list(commands))
        self.threads.add(threading.get_ident())
        self.inside.set()
        assert self.gate.wait(30)
        if "full disk" in commands:
            raise StoreUnavailable("the disk is full")
        if "lost" in commands:
            return []
        return [InvalidInput.of("word", "is bad") if c == "bad" else c.upper() for c in commands]

    async def busy(self) -> None:
        """Wait until a batch is being handled."""
        assert await asyncio.to_thread(self.inside.wait, 30)


async def _gathered(submissions: Sequence[Awaitable[str]]) -> list[Any]:
    return await asyncio.gather(*submissions, return_exceptions=True)


def test_each_submitter_gets_its_own_answer() -> None:
    async def scene() -> None:
        group = GroupCommit(Desk())
        words = [f"word {i}" for i in range(1000)]
        assert await _gathered([group.submit(word) for word in words]) == [word.upper() for word in words]
        await group.close()

    asyncio.run(scene())


def test_what_comes_during_a_batch_is_the_next_batch() -> None:
    async def scene() -> None:
        desk = Desk(opened=False)
        group = GroupCommit(desk, max_batch=4)
        first = asyncio.create_task(group.submit("first"))
        await desk.busy()
        rest = [asyncio.create_task(group.submit(f"{i}")) for i in range(6)]
        await asyncio.sleep(0)
        desk.gate.set()
        await _gathered([first, *rest])
        assert desk.batches == [["first"], ["0", "1", "2", "3"], ["4", "5"]]
        assert len(desk.threads) == 1
        assert threading.get_ident() not in desk.threads
        await group.close()

    asyncio.run(scene())


def test_the_loop_goes_on_while_a_batch_is_handled() -> None:
    async def scene() -> None:
        desk = Desk(opened=False)
        group = GroupCommit(desk)
        waiting = asyncio.create_task(group.submit("slow"))
        await desk.busy()
        await asyncio.sleep(0.01)
        assert not waiting.done()
        desk.gate.set()
        assert await waiting == "SLOW"
        await group.close()

    asyncio.run(scene())


def test_a_bad_command_fails_alone() -> None:
    async def scene() -> None:
        desk = Desk(opened=False)
        group = GroupCommit(desk)
        first = asyncio.create_task(group.submit("first"))
        await desk.busy()
        batch = asyncio.gather(*map(group.submit, ["good", "bad", "fine"]), return_exceptions=True)
        await asyncio.sleep(0)
        desk.gate.set()
        good, bad, fine = await batch
        assert (await first, good, fine) == ("FIRST", "GOOD", "FINE")
        assert isinstance(bad, InvalidInput)
        assert desk.batches[1] == ["good", "bad", "fine"]
        await group.close()

    asyncio.run(scene())


def test_a_failed_batch_fails_all_its_submitters_and_no_others() -> None:
    async def scene() -> None:
        desk = Desk(opened=False)
        group = GroupCommit(desk, max_batch=3)
        first = asyncio.create_task(group.submit("first"))
        await desk.busy()
        rest = asyncio.gather(*map(group.submit, ["a", "full disk", "b", "next"]), return_exceptions=True)
        await asyncio.sleep(0)
        desk.gate.set()
        failed = await rest
        assert [type(result) for result in failed] == [StoreUnavailable] * 3 + [str]
        assert await first == "FIRST"
        assert await group.submit("afterwards") == "AFTERWARDS"
        await group.close()

    asyncio.run(scene())


def test_a_batch_with_answers_missing_fails_all_its_submitters() -> None:
    async def scene() -> None:
        group = GroupCommit(Desk())
        with pytest.raises(RuntimeError, match="0 results for 1 commands"):
            await group.submit("lost")
        assert await group.submit("found") == "FOUND"
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
        assert await _gathered([first, *queued]) == ["FIRST", "A", "B"]
        assert await group.submit("c") == "C"
        assert desk.batches == [["first"], ["a", "b"], ["c"]]
        await group.close()

    asyncio.run(scene())


def test_a_cancelled_submitter_changes_nothing_for_the_others() -> None:
    async def scene() -> None:
        desk = Desk(opened=False)
        group = GroupCommit(desk)
        running = asyncio.create_task(group.submit("running"))
        await desk.busy()
        queued = [asyncio.create_task(group.submit(word)) for word in ("gone", "here")]
        await asyncio.sleep(0)
        running.cancel()
        queued[0].cancel()
        desk.gate.set()
        assert await queued[1] == "HERE"
        assert desk.batches == [["running"], ["gone", "here"]]
        assert running.cancelled()
        assert queued[0].cancelled()
        await group.close()

    asyncio.run(scene())


def test_closing_answers_what_waits_and_then_refuses() -> None:
    async def scene() -> None:
        desk = Desk(opened=False)
        group = GroupCommit(desk, max_batch=1)
        waiting = [asyncio.create_task(group.submit(word)) for word in ("a", "b", "c")]
        await desk.busy()
        closing = asyncio.create_task(group.close())
        await asyncio.sleep(0.01)
        with pytest.raises(Overloaded, match="shutting down"):
            await group.submit("late")
        desk.gate.set()
        await closing
        assert await _gathered(waiting) == ["A", "B", "C"]
        with pytest.raises(Overloaded):
            await group.submit("later")

    asyncio.run(scene())


def test_closing_refuses_what_it_has_no_time_for() -> None:
    async def scene() -> None:
        desk = Desk(opened=False)
        group = GroupCommit(desk, max_batch=1)
        running = asyncio.create_task(group.submit("running"))
        await desk.busy()
        queued = asyncio.create_task(group.submit("queued"))
        await asyncio.sleep(0)
        await group.close(timeout=0.05)
        with pytest.raises(Overloaded, match="before it came to"):
            await queued
        desk.gate.set()
        assert await running == "RUNNING"
        assert desk.batches == [["running"]]

    asyncio.run(scene())


def test_a_loop_that_ended_before_its_answer_stops_nobody() -> None:
    desk = Desk(opened=False)

    async def leave() -> GroupCommit[str, str]:
        group: GroupCommit[str, str] = GroupCommit(desk)
        abandoned = asyncio.create_task(group.submit("abandoned"))
        await desk.busy()
        abandoned.cancel()
        return group

    async def scene(group: GroupCommit[str, str]) -> None:
        desk.gate.set()
        assert await group.submit("after") == "AFTER"
        await group.close()

    asyncio.run(scene(asyncio.run(leave())))


def test_an_idle_group_uses_no_processor_time() -> None:
    async def scene() -> None:
        group = GroupCommit(Desk())
        await group.submit("warm")
        before = time.process_time()
        await asyncio.sleep(0.5)
        assert time.process_time() - before < 0.05
        await group.close()

    asyncio.run(scene())
