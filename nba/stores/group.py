"""Group commit: whatever has come in while one batch was written is the next batch.

Knows neither commands nor stores: `handle` takes a batch in one write transaction and returns when it is
durable. One thread calls it, so a batch is never larger for waiting and an idle engine answers at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Generic, TypeVar

from nba.errors import Overloaded

Command = TypeVar("Command")
Result = TypeVar("Result")
Waiting = tuple["asyncio.Future[Result]", Command]


class GroupCommit(Generic[Command, Result]):
    """Submit commands from any event loop; they are handled in batches, in the order they came.

    A result that is an exception is raised to its submitter alone; one that `handle` raises, to all of its
    batch. A submitter that has stopped waiting changes nothing: its command is handled all the same.
    """

    def __init__(
        self,
        handle: Callable[[Sequence[Command]], Sequence[Result | Exception]],
        max_batch: int = 256,
        max_queue: int = 4096,
    ) -> None:
        """Start the writer thread.

        Args:
            handle: one result a command, in their order; called in one thread, never twice at a time.
            max_batch: commands a batch at most.
            max_queue: commands waiting at most, those of the running batch not counted.
        """
        self._handle = handle
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._queue: deque[Waiting[Result, Command]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="nba-writer", daemon=True)
        self._thread.start()

    async def submit(self, command: Command) -> Result:
        """The result of `command`, once its batch is durable.

        Raises:
            Overloaded: the queue is full, or closed; at once, and the command is not handled.
            Exception: what `handle` returned for this command or raised for its batch.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        with self._changed:
            if self._closed:
                raise Overloaded("the engine is shutting down")
            if len(self._queue) >= self._max_queue:
                raise Overloaded(f"{self._max_queue} commands are waiting already")
            self._queue.append((future, command))
            self._changed.notify()
        return await future

    async def close(self, timeout: float = 10.0) -> None:
        """Refuse what comes from now on, handle what waits, for `timeout` seconds at most.

        What waits after that is refused with Overloaded; the batch that runs is answered when it ends.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join, timeout)
        with self._changed:
            left = list(self._queue)
            self._queue.clear()
        refusal = Overloaded("the engine shut down before it came to this command")
        _tell([(future, refusal) for future, _ in left])

    def _run(self) -> None:
        while batch := self._next():
            commands = [command for _, command in batch]
            results: Sequence[Result | BaseException]
            try:
                results = self._handle(commands)
                if len(results) != len(commands):
                    raise RuntimeError(f"{len(results)} results for {len(commands)} commands")
            except BaseException as error:  # whatever it is, the submitters have to hear of it
                results = [error] * len(commands)
            _tell([(future, result) for (future, _), result in zip(batch, results, strict=True)])

    def _next(self) -> list[Waiting[Result, Command]]:
        """The next batch; waits for one. Empty when closed and drained."""
        with self._changed:
            while not self._queue and not self._closed:
                self._changed.wait()
            return [self._queue.popleft() for _ in range(min(len(self._queue), self._max_batch))]


def _tell(settled: Sequence[tuple[asyncio.Future[Result], Result | BaseException]]) -> None:
    """Settle futures in their own loops: one wake-up a loop, not one a future."""
    for loop, ours in groupby(settled, key=lambda pair: pair[0].get_loop()):
        with contextlib.suppress(RuntimeError):  # a closed loop: nobody waits in it
            loop.call_soon_threadsafe(_settle, list(ours))


def _settle(settled: Sequence[tuple[asyncio.Future[Result], Result | BaseException]]) -> None:
    for future, result in settled:
        if future.done():  # cancelled meanwhile
            continue
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
