"""Group commit: batches, failures of one and of all, cancelled submitters, the end."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from nba.errors import InvalidInput, Overloaded
from nba.stores.group import GroupCommit
from tests.stores.desk import Desk, gathered

CLOCK_SECONDS = 0.02  # what the event loop's timers may be early or coarse by


def test_each_submitter_gets_its_own_answer() -> None:
    async def scene() -> None:
        group = GroupCommit(Desk())
        words = [f"word {i}" for i in range(1000)]
        assert await gathered([group.submit(word) for word in words]) == [word.upper() for word in words]
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
        await gathered([first, *rest])
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
        rest = asyncio.gather(*map(group.submit, ["a", "broken", "b", "next"]), return_exceptions=True)
        await asyncio.sleep(0)
        desk.gate.set()
        failed = await rest
        assert [type(result) for result in failed] == [KeyError] * 3 + [str]
        assert await first == "FIRST"
        assert await group.submit("afterwards") == "AFTERWARDS"
        await group.close()

    asyncio.run(scene())


def test_many_commands_at_once_have_a_result_or_an_error_each() -> None:
    async def scene() -> None:
        group = GroupCommit(Desk(), max_queue=4)
        good, bad = await group.submit_all(["good", "bad"])
        assert (good, type(bad)) == ("GOOD", InvalidInput)
        refused = await group.submit_all(["a", "b", "c", "d", "e"])
        assert [type(result) for result in refused] == [Overloaded] * 5
        await group.close()

    asyncio.run(scene())


def test_it_tells_how_long_each_command_of_a_batch_has_waited() -> None:
    async def scene() -> None:
        told: list[list[float]] = []
        desk = Desk(opened=False)
        group = GroupCommit(desk, waited=lambda seconds: told.append(list(seconds)))
        first = asyncio.create_task(group.submit("first"))
        await desk.busy()
        rest = [asyncio.create_task(group.submit(word)) for word in ("a", "b")]
        await asyncio.sleep(0.05)
        desk.gate.set()
        await gathered([first, *rest])
        assert [len(batch) for batch in told] == [1, 2]
        assert min(told[1]) >= 0.05 - CLOCK_SECONDS
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
        assert await gathered(waiting) == ["A", "B", "C"]
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
