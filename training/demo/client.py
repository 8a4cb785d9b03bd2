"""The demo's HTTP client: bodies in, answers out in their order, over a few kept-open connections.

`http.client` in threads, since it costs 0.4 ms a request where an asynchronous client costs 4.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from nba.errors import CallOperator

CONNECTIONS = 16
_TIMEOUT = 60.0
_SHOWN = 500


class Client:
    """Posts JSON. Not for use from several threads; it has its own."""

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
        size = max(1, min(50, -(-len(bodies) // self._connections)))
        lots = [bodies[i : i + size] for i in range(0, len(bodies), size)]
        answers: list[bytes] = []
        with ThreadPoolExecutor(self._connections) as threads:
            for lot in threads.map(lambda lot: self._post_lot(path, lot), lots):
                answers += lot
                advance(len(lot))
        return answers

    def _post_lot(self, path: str, bodies: Sequence[bytes]) -> list[bytes]:
        connection = self._idle.get()
        try:
            return [_again(connection, path, body) for body in bodies]
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise CallOperator(f"POST {path}: the server is gone ({type(error).__name__})") from None
        finally:
            self._idle.put(connection)

    def close(self) -> None:
        for _ in range(self._connections):
            self._idle.get().close()


def _again(connection: http.client.HTTPConnection, path: str, body: bytes) -> bytes:
    """Once more where the server has closed an idle connection meanwhile; ids make a repeat harmless."""
    try:
        return _post(connection, path, body)
    except (ConnectionError, http.client.RemoteDisconnected):
        connection.close()  # the next request opens it anew
        return _post(connection, path, body)


def _post(connection: http.client.HTTPConnection, path: str, body: bytes) -> bytes:
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    if response.status >= 300:
        shown = answer[:_SHOWN].decode("utf-8", errors="replace")
        raise CallOperator(f"POST {path} was answered with {response.status}: {shown}")
    return answer
