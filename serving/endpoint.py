"""One HTTP route as an ASGI app: reads the body, calls the handler, sends the reply or the problem.

This is where errors become problems and requests become metrics, so that handlers only translate.
FastAPI's own parameter and response machinery is left out on purpose: it would cost two thirds of the
throughput (docs/decisions).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from nba.errors import NbaError, TooLarge
from serving import problems
from serving.alerts import Alerts
from serving.engine import Engine
from serving.logs import log, unexpected
from serving.problems import Problem

MOST_BYTES = 1_000_000
JSON = b"application/json"
Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a handler is given.

    Attributes:
        path: its parameters.
        query: as it stands in the address.
        body: the whole of it.
        since: when the request came, by `perf_counter`.
    """

    path: Mapping[str, str]
    query: bytes
    body: bytes
    content_type: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a handler answers. `media_type` None goes with an empty body."""

    body: bytes = b""
    status: int = 200
    media_type: bytes | None = JSON
    headers: Headers = ()


Handler = Callable[[Engine, Call], Awaitable[Reply]]


class Disconnected(Exception):
    """The client went away before its body was complete; there is nobody to answer."""


class Endpoint:
    """The ASGI app of one route; `route` is its path as metrics name it."""

    def __init__(self, route: str, handler: Handler) -> None:
        self._route = route
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        engine: Engine = scope["app"].state.engine
        try:
            reply = await self._handler(engine, await _call(scope, receive, started))
        except Disconnected:
            return
        except Exception as error:  # whatever it is, the caller gets a problem and the log the rest
            reply = refusal(error, self._route, engine.alerts)
        await _send(reply, send)
        seconds = time.perf_counter() - started
        engine.metrics.request(self._route, scope["method"], reply.status, seconds)


def refusal(error: Exception, route: str, alerts: Alerts) -> Reply:
    """The reply to an error. One that nobody foresaw is logged; what is refused for now, once a minute."""
    problem = Problem.of(error)
    if problem.kind is problems.UNEXPECTED:
        log().error("unexpected_error", route=route, **unexpected(error))
    elif problem.kind.status >= 500 and isinstance(error, NbaError):
        alerts.on("refused", problem.kind.type, route=route, detail=error.detail)
    return problem_reply(problem)


def problem_reply(problem: Problem, headers: Headers = ()) -> Reply:
    return Reply(
        body=problem.body(),
        status=problem.kind.status,
        media_type=problems.MEDIA_TYPE,
        headers=(*problem.headers(), *headers),
    )


async def _call(scope: Scope, receive: Receive, since: float) -> Call:
    content_type, length = "", None
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value.decode("latin-1")
        elif name == b"content-length":
            length = value
    if length is not None and (len(length) > 15 or int(length) > MOST_BYTES):
        raise _too_large()
    return Call(
        path=scope["path_params"],
        query=scope["query_string"],
        body=await _body(receive),
        content_type=content_type,
        since=since,
    )


async def _body(receive: Receive) -> bytes:
    """The body, whatever its headers say. Raises TooLarge as soon as it is, Disconnected."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MOST_BYTES:
            raise _too_large()
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large() -> TooLarge:
    return TooLarge(f"a body has at most {MOST_BYTES:,} bytes")


async def _send(reply: Reply, send: Send) -> None:
    headers = list(reply.headers)
    if reply.media_type is not None:
        headers.append((b"content-type", reply.media_type))
        headers.append((b"content-length", b"%d" % len(reply.body)))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
