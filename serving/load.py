"""A load generator: keep-alive connections that each send a prepared request, wait for the answer, and send
the next. `python -m serving.load` takes a `Load` as JSON on stdin and gives a `Measured` on stdout.

A process of its own, so that it takes no time from the server that it measures; it looks at no more of an
answer than its status, its length and whether it is a contact, so that it costs little itself.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle
from time import perf_counter, process_time
from typing import cast

import uvloop

_SILENCE = b'"action":"no_contact"'
_LENGTH = b"content-length: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to send: `bodies` in turn, over and over, to one path, for so many seconds."""

    port: int
    path: str
    bodies: list[str]
    connections: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came back.

    Attributes:
        rate: answers a second.
        p50, p99: seconds from a request to the whole of its answer.
        contacts: share of the answers that are not silence.
        failed: answers of another status than 200 and 201.
        busy: share of one processor that the generator itself took; near 1 it measures itself.
    """

    rate: float
    p50: float
    p99: float
    contacts: float
    failed: int
    busy: float


class _Tally:
    """What all connections share."""

    def __init__(self, load: Load) -> None:
        head = (
            f"POST {load.path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: "
        )
        bodies = [body.encode() for body in load.bodies]
        self.requests: Iterator[bytes] = cycle(
            [head.encode() + b"%d\r\n\r\n%b" % (len(b), b) for b in bodies]
        )
        self.until = 0.0
        self.latencies: list[float] = []
        self.silent = 0
        self.failed = 0


class _Connection(asyncio.Protocol):
    """Sends until it is time to stop; `over` is set then."""

    def __init__(self, tally: _Tally) -> None:
        self._tally = tally
        self._got = b""
        self._sent = 0.0
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def begin(self) -> None:
        self._send()

    def data_received(self, data: bytes) -> None:
        got = self._got + data if self._got else data
        head = got.find(b"\r\n\r\n")
        length = got.find(_LENGTH, 0, head)
        if head < 0 or len(got) < head + 4 + int(got[length + len(_LENGTH) : got.index(b"\r\n", length)]):
            self._got = got
            return
        self._got = b""
        now, tally = perf_counter(), self._tally
        tally.latencies.append(now - self._sent)
        tally.failed += got[9:12] not in (b"200", b"201")
        tally.silent += _SILENCE in got
        if now < tally.until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None)

    def _send(self) -> None:
        self._sent = perf_counter()
        self._transport.write(next(self._tally.requests))


async def generate(load: Load) -> Measured:
    """Send the load and measure what comes back. Raises OSError where nobody listens."""
    tally, loop = _Tally(load), asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: _Connection(tally), "127.0.0.1", load.port)
        for _ in range(load.connections)
    ]
    started, worked = perf_counter(), process_time()
    tally.until = started + load.seconds
    for _, connection in made:
        connection.begin()
    await asyncio.gather(*(connection.over for _, connection in made))
    seconds = perf_counter() - started
    ordered = sorted(tally.latencies)
    count = len(ordered)
    return Measured(
        rate=count / seconds,
        p50=ordered[count // 2],
        p99=ordered[count * 99 // 100],
        contacts=1 - tally.silent / count,
        failed=tally.failed,
        busy=(process_time() - worked) / seconds,
    )


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(generate(Load(**json.load(sys.stdin)))))))
