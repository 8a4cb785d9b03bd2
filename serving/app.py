"""The app as a function of its wiring. Nothing happens at import; the lifespan opens and closes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.alerts import Alerts
from serving.console.app import Console, console_routes
from serving.console.cache import Cache
from serving.console.desk import Desk
from serving.endpoint import problem_reply
from serving.engine import Engine, running
from serving.logs import log
from serving.metrics import Metrics
from serving.problems import NO_SUCH_PATH, WRONG_METHOD, Problem
from serving.routes import routes
from serving.wiring import Wiring

_NOT_TRACED = {"tracing": False, "metrics": False, "logs": False}  # spans would carry customers' ids


def create_app(wiring: Wiring) -> FastAPI:
    """The API. `app.state.engine` is there while the lifespan runs."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        alerts = Alerts()
        metrics = Metrics(alerts)

        def refused(event: str, fields: dict[str, Any]) -> None:
            metrics.artefact_refused()
            log().error(event, **fields)

        with wiring.open(refused, metrics) as parts:
            engine = Engine(
                service=parts.service,
                store=parts.store,
                live=parts.live,
                metrics=metrics,
                alerts=alerts,
                clock=wiring.clock,
            )
            desk = Desk(
                store=parts.store,
                source=parts.live,
                service=parts.service,
                clock=wiring.clock,
                cache=Cache(wiring.clock),
            )
            async with running(engine, wiring.refresh_seconds):
                app.state.engine = engine
                with closing(Console(desk)) as console:
                    app.state.console = console
                    yield

    app = _App(
        title="nba",
        openapi_url=None,
        lifespan=lifespan,
        telemetry=_NOT_TRACED,  # type: ignore[arg-type]
        exception_handlers={HTTPException: _unrouted},
    )
    app.router.redirect_slashes = False
    table = routes()
    app.router.routes.extend([*table, *console_routes()])
    plain = [route for route in table if not route.param_convertors]
    app.direct = {(method, route.path): route.app for route in plain for method in route.methods or ()}
    return app


class _App(FastAPI):
    """Calls an endpoint at once where the path has no parameters, and leaves the rest to the router.

    The layers of middleware between would cost a tenth of a decision, and have nothing to do for an endpoint
    that answers every error itself.
    """

    direct: Mapping[tuple[str, str], ASGIApp]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self.direct.get((scope.get("method", ""), scope.get("path", "")))
        if endpoint is None:
            await super().__call__(scope, receive, send)
        else:
            scope["app"] = self
            scope["path_params"] = {}
            await endpoint(scope, receive, send)


async def _unrouted(request: Request, error: HTTPException) -> Response:
    """What the router itself refuses: no such path, or the path has other methods."""
    if error.status_code == 405:
        problem = Problem(kind=WRONG_METHOD, detail="The header Allow names the methods of this path.")
    else:
        problem = Problem(kind=NO_SUCH_PATH, detail="/docs lists the paths there are.")
    reply = problem_reply(problem)
    request.app.state.engine.metrics.request("none", "any", reply.status, 0.0)
    media_type = reply.media_type.decode() if reply.media_type else None
    headers = {**(error.headers or {}), **({"Allow": _allowed(request)} if error.status_code == 405 else {})}
    return Response(reply.body, reply.status, headers=headers, media_type=media_type)


def _allowed(request: Request) -> str:
    """The methods of all routes of a path; the router names those of the first alone."""
    found = [route for route in request.app.router.routes if isinstance(route, Route)]
    there = (r.methods or set() for r in found if r.path_regex.fullmatch(request.url.path))
    return ", ".join(sorted(set().union(*there)))
