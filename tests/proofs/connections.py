"""Many clients in one process: keep-alive connections over asyncio that ask and wait for the answer.

Thread pools would take more processor time than the servers they ask. Whether an answer is right is the
tests' business; here it is only read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Self
from urllib.parse import urlsplit

PATIENCE = 30.0  # seconds; whoever is answered later than that has been forgotten
PAUSE_SECONDS = 0.05  # of a client that was told to come back later
LOST = (OSError, EOFError)  # what a connection raises when the server is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent. `body` None is a GET."""

    path: str
    body: bytes | None = None

    @classmethod
    def to(cls, path: str, **fields: Any) -> Request:
        """A POST of these fields as JSON."""
        return cls(path=path, body=json.dumps(fields).encode())

    def head(self, *more: str) -> bytes:
        """The request without its body, with these header lines too."""
        first = f"{'GET' if self.body is None else 'POST'} {self.path} HTTP/1.1"
        length = f"content-length: {len(self.body or b'')}"
        return "\r\n".join([first, "host: proof", length, *more, "", ""]).encode()

    def fields(self) -> dict[str, Any]:
        """The body as it was given to `to`."""
        fields: dict[str, Any] = json.loads(self.body or b"{}")
        return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back. `seconds` from the request to the whole of the answer."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document


class Connection:
    """One client. Every call raises one of LOST where the server is gone or hangs up."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, address: str) -> Self:
        """Connect to `http://host:port`."""
        parts = urlsplit(address)
        return cls(*await asyncio.open_connection(parts.hostname, parts.port))

    async def ask(self, request: Request) -> Reply:
        """Send and wait; ask again where there is too much work, which depends on the machine.

        Raises:
            AssertionError: no answer, or none but 429.
        """
        until = monotonic() + PATIENCE
        while (reply := await self._ask(request)).status == 429:
            assert monotonic() < until, "nothing but 429"
            await asyncio.sleep(PAUSE_SECONDS)
        return reply

    async def _ask(self, request: Request) -> Reply:
        started = monotonic()
        self.write(request.head() + (request.body or b""))
        reply = await self.reply(started)
        if reply.headers.get("connection") == "close":
            self.close()
        return reply

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def reply(self, started: float) -> Reply:
        """The next answer, an interim one (100) as well."""
        try:
            async with asyncio.timeout(PATIENCE):
                lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {
                    name.lower(): value.strip() for name, _, value in (s.partition(":") for s in lines[1:-2])
                }
                body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        except TimeoutError:
            raise AssertionError(f"no answer within {PATIENCE:.0f} seconds") from None
        status = int(lines[0].split(" ")[1])
        return Reply(status=status, headers=headers, body=body, seconds=monotonic() - started)

    def close(self) -> None:
        self._writer.close()


async def ask_once(address: str, request: Request) -> Reply:
    """Over a connection of its own."""
    connection = await Connection.to(address)
    try:
        return await connection.ask(request)
    finally:
        connection.close()


async def ask_all(addresses: Sequence[str], requests: Sequence[Request], clients: int = 64) -> list[Reply]:
    """The answers in order, from clients that all start together, each with every n-th request.

    The clients take turns over the addresses.
    """
    connections = [await Connection.to(addresses[i % len(addresses)]) for i in range(clients)]
    replies: list[Reply | None] = [None] * len(requests)

    async def go(client: int) -> None:
        for i in range(client, len(requests), clients):
            replies[i] = await connections[client].ask(requests[i])

    await asyncio.gather(*(go(client) for client in range(clients)))
    for connection in connections:
        connection.close()
    return [reply for reply in replies if reply is not None]
