"""The demo's HTTP client: bodies in, answers out in their order, over a few kept-open connections.

`http.client` in threads, since it costs 0.4 ms a request where an asynchronous client costs 4.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Protocol

import orjson

from nba.errors import CallOperator

Call = tuple[str, str, bytes]  # method, path, body
CONNECTIONS = 16
MOST = 1_000  # events or outcomes in one body
_TIMEOUT = _PATIENCE = 60.0
_BUSY = (429, 503)
_SHOWN = 500


class Client:
    """Sends JSON. Not for use from several threads; it has its own."""

    def __init__(self, host: str, port: int, connections: int = CONNECTIONS) -> None:
        self._idle: SimpleQueue[http.client.HTTPConnection] = SimpleQueue()
        for _ in range(connections):
            self._idle.put(http.client.HTTPConnection(host, port, timeout=_TIMEOUT))
        self._connections = connections

    def post_all(
        self, path: str, bodies: Sequence[bytes], advance: Callable[[int], object] = lambda count: None
    ) -> list[bytes]:
        """Post every body; the answers, in order. `advance` hears how many have been answered since.

        Raises:
            CallOperator: the server refused one, or is gone.
        """
        return self._call_all([("POST", path, body) for body in bodies], advance)

    def patch_all(self, changes: Sequence[tuple[str, bytes]]) -> list[bytes]:
        """Patch each path with its body; the answers, in order. Raises CallOperator likewise."""
        return self._call_all([("PATCH", *change) for change in changes], lambda count: None)

    def read(self, path: str) -> bytes:
        """What a GET answers. Raises CallOperator likewise."""
        return self._call_all([("GET", path, b"")], lambda count: None)[0]

    def _call_all(self, calls: Sequence[Call], advance: Callable[[int], object]) -> list[bytes]:
        size = max(1, min(50, -(-len(calls) // self._connections)))
        lots = [calls[i : i + size] for i in range(0, len(calls), size)]
        answers: list[bytes] = []
        with ThreadPoolExecutor(self._connections) as threads:
            for lot in threads.map(self._call_lot, lots):
                answers += lot
                advance(len(lot))
        return answers

    def _call_lot(self, calls: Sequence[Call]) -> list[bytes]:
        connection = self._idle.get()
        try:
            return [_again(connection, call) for call in calls]
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            method, path, _ = calls[0]
            raise CallOperator(f"{method} {path}: the server is gone ({type(error).__name__})") from None
        finally:
            self._idle.put(connection)

    def close(self) -> None:
        for _ in range(self._connections):
            self._idle.get().close()


class Posting(Protocol):
    """What posts bodies, over HTTP or past it."""

    def post_all(self, path: str, bodies: Sequence[bytes]) -> list[bytes]: ...


def report_all(client: Posting, path: str, kind: str, items: Sequence[object]) -> None:
    """Post outcomes or events, `kind`, in bodies of at most a thousand.

    Raises:
        CallOperator: the server rejected one, or is gone.
    """
    bodies = [orjson.dumps({kind: items[i : i + MOST]}) for i in range(0, len(items), MOST)]
    for answer in client.post_all(path, bodies):
        rejected = orjson.loads(answer)["rejected"]
        if rejected:
            raise CallOperator(f"POST {path} rejected {len(rejected)}: {rejected[0]['detail']}")


def _again(connection: http.client.HTTPConnection, call: Call) -> bytes:
    """Once more where the server has closed an idle connection meanwhile; ids make a repeat harmless."""
    try:
        return _call(connection, call)
    except (ConnectionError, http.client.RemoteDisconnected):
        connection.close()  # the next request opens it anew
        return _call(connection, call)


def _call(connection: http.client.HTTPConnection, call: Call) -> bytes:
    """Where the server has too much to do, wait as long as it says, for up to a minute, and ask again."""
    method, path, body = call
    patience = time.monotonic() + _PATIENCE
    while True:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, body or None, headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status < 300:
            return answer
        if response.status not in _BUSY or time.monotonic() > patience:
            shown = answer[:_SHOWN].decode("utf-8", errors="replace")
            raise CallOperator(f"{method} {path} was answered with {response.status}: {shown}")
        time.sleep(float(response.headers.get("Retry-After", "1")))
