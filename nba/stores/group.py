"""Group commit: whatever has come in while one batch was written is the next batch.

Knows neither commands nor stores: `handle` takes a batch in one write transaction and returns when it is
durable. One thread calls it, so an idle engine answers at once. After a batch of several the event loop gives
the answers out before the next begins: what comes back to them then makes one batch rather than two, and a
batch has a price of its own.

Who could not be answered in time is refused at once, before the others' latency explodes; and while the
store is down nobody waits for it but one batch at a time that tries whether it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby
from time import monotonic
from typing import Generic, TypeVar

from nba.errors import NbaError, Overloaded, StoreUnavailable

Command = TypeVar("Command")
Result = TypeVar("Result")
Waiting = tuple["asyncio.Future[Result]", Command, float]

PAUSE_SECONDS = 0.25  # from a failure of the store to the next try
_TURNS, _BREATH_SECONDS = 3, 0.005  # of the event loop: settle, send, read; and how long it may take
_NEWEST = 0.3  # share of the latest batch in the smoothed time of one


class GroupCommit(Generic[Command, Result]):
    """Submit commands from any event loop; they are handled in batches, in the order they came.

    A result that is an exception is raised to its submitter alone; one that `handle` raises, to all of its
    batch, and where it is StoreUnavailable to all that wait as well. A submitter that has stopped waiting
    changes nothing: its command is handled all the same.
    """

    def __init__(
        self,
        handle: Callable[[Sequence[Command]], Sequence[Result | Exception]],
        *,
        max_batch: int = 256,
        max_queue: int = 4096,
        max_wait: float = 1.0,
        waited: Callable[[Sequence[float]], None] = lambda seconds: None,
    ) -> None:
        """Start the writer thread.

        Args:
            handle: one result a command, in their order; called in one thread, never twice at a time.
            max_batch: commands a batch at most.
            max_queue: commands waiting at most, those of the running batch not counted.
            max_wait: seconds that a command may be expected to wait; see `submit`.
            waited: told how long each command of a batch has waited, before the batch is handled.
        """
        self._handle = handle
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._max_wait = max_wait
        self._waited = waited
        self._queue: deque[Waiting[Result, Command]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._began: float | None = None  # when the running batch did
        self._seconds = 0.0  # that a batch takes of late
        self._try_at: float | None = None  # when to try a store again that failed; None while it works
        self._thread = threading.Thread(target=self._run, name="nba-writer", daemon=True)
        self._thread.start()

    async def submit(self, command: Command) -> Result:
        """The result of `command`, once its batch is durable.

        The expected wait is the rest of the running batch and the full batches ahead, each taken to last as
        long as batches did of late. Batches, not commands, since many small ones say little about how long
        a full one takes, and then rather too many are let in than too few: `max_queue` bounds that.

        Raises:
            Overloaded: the expected wait is too long, or the queue is full, or closed; at once, and the
                command is not handled.
            StoreUnavailable: the store has just failed, or is being tried again; likewise.
            Exception: what `handle` returned for this command or raised for its batch.
        """
        with self._changed:
            refusal = self._refusal(1, self._max_wait)
            if refusal is not None:
                raise refusal
            future = self._queued(command, asyncio.get_running_loop())
            self._changed.notify()
        return await future

    async def submit_all(self, commands: Sequence[Command]) -> list[Result | BaseException]:
        """The result or the error of each, in order. Who sends many waits as long as it takes."""
        with self._changed:
            refusal = self._refusal(len(commands), None)
            if refusal is not None:
                return [refusal] * len(commands)
            loop = asyncio.get_running_loop()
            futures = [self._queued(command, loop) for command in commands]
            self._changed.notify()
        return await asyncio.gather(*futures, return_exceptions=True)

    async def close(self, timeout: float = 10.0) -> None:
        """Refuse what comes from now on, handle what waits, for `timeout` seconds at most.

        What waits after that is refused with Overloaded; the batch that runs is answered when it ends.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join, timeout)
        self._dismiss(Overloaded("the engine shut down before it came to this command"))

    def _queued(self, command: Command, loop: asyncio.AbstractEventLoop) -> asyncio.Future[Result]:
        """Takes a place in the queue; the lock is held."""
        future: asyncio.Future[Result] = loop.create_future()
        self._queue.append((future, command, monotonic()))
        return future

    def _refusal(self, commands: int, max_wait: float | None) -> NbaError | None:
        """Why commands can't be taken now; the lock is held."""
        if self._closed:
            return Overloaded("the engine is shutting down")
        if self._try_at is not None and (
            self._queue or self._began is not None or monotonic() < self._try_at
        ):
            return StoreUnavailable("the store failed a moment ago")
        if len(self._queue) + commands > self._max_queue:
            return Overloaded(f"{len(self._queue)} commands are waiting already")
        if max_wait is not None and self._expected_wait() > max_wait:
            return Overloaded(f"an answer would take more than {max_wait:g} seconds")
        return None

    def _expected_wait(self) -> float:
        """Seconds until a command that joins now would be handled."""
        running = 0.0 if self._began is None else max(0.0, self._began + self._seconds - monotonic())
        return running + len(self._queue) // self._max_batch * self._seconds

    def _run(self) -> None:
        while batch := self._next():
            commands = [command for _, command, _ in batch]
            results: Sequence[Result | BaseException]
            error: BaseException | None = None
            try:
                results = self._handle(commands)
                if len(results) != len(commands):
                    raise RuntimeError(f"{len(results)} results for {len(commands)} commands")
            except BaseException as raised:  # whatever it is, the submitters have to hear of it
                error, results = raised, [raised] * len(commands)
            self._ended(error)
            _tell([(future, result) for (future, _, _), result in zip(batch, results, strict=True)])
            if isinstance(error, StoreUnavailable):
                self._dismiss(error)
            if len(batch) > 1:
                _breathe(batch[-1][0].get_loop())

    def _next(self) -> list[Waiting[Result, Command]]:
        """The next batch; waits for one. Empty when closed and drained."""
        with self._changed:
            while not self._queue and not self._closed:
                self._changed.wait()
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._max_batch))]
            self._began = now = monotonic()
        if batch:
            self._waited([now - since for _, _, since in batch])
        return batch

    def _ended(self, error: BaseException | None) -> None:
        """The running batch is over: how long they take, and whether the store is to be tried again."""
        with self._changed:
            now = monotonic()
            if self._began is not None and error is None:
                self._seconds += _NEWEST * (now - self._began - self._seconds)
                self._try_at = None
            if isinstance(error, StoreUnavailable):
                self._try_at = now + PAUSE_SECONDS
            self._began = None

    def _dismiss(self, refusal: NbaError) -> None:
        """Refuse all that wait."""
        with self._changed:
            left = list(self._queue)
            self._queue.clear()
        _tell([(future, refusal) for future, _, _ in left])


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


def _breathe(loop: asyncio.AbstractEventLoop) -> None:
    """Wait until the loop has sent the answers it was just given and read what came meanwhile."""
    done = threading.Event()
    with contextlib.suppress(RuntimeError):  # a closed loop: it has nothing to send
        loop.call_soon_threadsafe(_after, loop, _TURNS, done)
        done.wait(_BREATH_SECONDS)


def _after(loop: asyncio.AbstractEventLoop, turns: int, done: threading.Event) -> None:
    """Set `done` in so many turns of the loop."""
    if turns:
        loop.call_soon(_after, loop, turns - 1, done)
    else:
        done.set()
