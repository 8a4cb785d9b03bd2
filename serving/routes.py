"""The routes. Each translates a request to a call and a value to a reply, and knows nothing else."""

from __future__ import annotations

import os
from functools import cache

import orjson
from starlette.routing import Route

from nba.errors import InvalidInput, Retryable
from nba.model import ID_RULE, Answer, Receipt, is_id
from serving import metrics, requests, ticket_requests
from serving.docs import page
from serving.endpoint import Call, Endpoint, Handler, Reply, problem_reply
from serving.engine import Engine
from serving.openapi import document
from serving.problems import NO_ROOM, Problem
from serving.standing import serving_now

_EXPIRED = ((b"nba-expired", b"true"),)
_SHUT = (  # the page has its style inside and needs nothing else
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
    (b"x-content-type-options", b"nosniff"),
)


def routes() -> list[Route]:
    """All routes, the busiest first."""
    return [
        _route("POST", "/v1/decisions", decide),
        _route("POST", "/v1/outcomes", report_outcomes),
        _route("POST", "/v1/events", report_events),
        _route("POST", "/v1/decisions:batch", decide_batch),
        _route("GET", "/v1/decisions/{id}", trace),
        _route("POST", "/v1/decisions/{id}/activate", activate),
        _route("GET", "/v1/customers/{id}", customer),
        _route("DELETE", "/v1/customers/{id}", erase),
        _route("GET", "/v1/tickets", tickets),
        _route("POST", "/v1/tickets", open_ticket),
        _route("GET", "/v1/tickets/{id}", ticket),
        _route("PATCH", "/v1/tickets/{id}", change_ticket),
        _route("GET", "/v1/outbox", outbox),
        _route("GET", "/v1/policy", policy),
        _route("GET", "/healthz", healthy),
        _route("GET", "/readyz", ready),
        _route("GET", "/metrics", exposition),
        _route("GET", "/docs", documentation),
        _route("GET", "/openapi.json", openapi),
    ]


def _route(method: str, path: str, handler: Handler) -> Route:
    return Route(path, Endpoint(path, handler), methods=[method])


async def decide(engine: Engine, call: Call) -> Reply:
    request = requests.decision_request(call.body)
    engine.metrics.edge(call.since)
    answer = await engine.decide(request)
    headers = _EXPIRED if answer.repeated and answer.expired else ()
    return Reply(status=200 if answer.repeated else 201, body=answer.body, headers=headers)


async def decide_batch(engine: Engine, call: Call) -> Reply:
    results = await engine.decide_all(requests.decision_requests(call.body))
    failed = [result for result in results if isinstance(result, Retryable)]
    if failed and len(failed) == len(results):
        raise failed[0]
    items = [r.body if isinstance(r, Answer) else Problem.of(r).body() for r in results]
    return Reply(body=b'{"answers":[%b]}' % b",".join(items))


async def trace(engine: Engine, call: Call) -> Reply:
    return Reply(body=await engine.trace(_id(call)))


async def activate(engine: Engine, call: Call) -> Reply:
    await engine.activate(_id(call))
    return Reply(status=204, media_type=None)


async def report_outcomes(engine: Engine, call: Call) -> Reply:
    return _receipt(await engine.report(requests.outcomes(call.body)))


async def report_events(engine: Engine, call: Call) -> Reply:
    return _receipt(await engine.report(requests.events(call.body, call.content_type)))


async def customer(engine: Engine, call: Call) -> Reply:
    return Reply(body=await engine.customer(_id(call)))


async def erase(engine: Engine, call: Call) -> Reply:
    await engine.erase(_id(call), requests.who(call.query))
    return Reply(status=204, media_type=None)


async def tickets(engine: Engine, call: Call) -> Reply:
    return Reply(body=await engine.tickets(ticket_requests.page(call.query)))


async def open_ticket(engine: Engine, call: Call) -> Reply:
    told = await engine.change_ticket(ticket_requests.opening(call.body))
    return Reply(status=201 if told.made else 200, body=told.body)


async def ticket(engine: Engine, call: Call) -> Reply:
    return Reply(body=await engine.ticket(_id(call)))


async def change_ticket(engine: Engine, call: Call) -> Reply:
    return Reply(body=(await engine.change_ticket(ticket_requests.update(_id(call), call.body))).body)


async def outbox(engine: Engine, call: Call) -> Reply:
    return Reply(body=await engine.outbox(*requests.outbox_page(call.query)))


async def policy(engine: Engine, call: Call) -> Reply:
    return Reply(body=orjson.dumps(serving_now(engine.live, engine.moment)))


async def healthy(engine: Engine, call: Call) -> Reply:
    return Reply(body=b'{"status":"alive"}')


async def ready(engine: Engine, call: Call) -> Reply:
    disk = await engine.ready()
    if disk.full:
        return problem_reply(Problem(kind=NO_ROOM, detail="Less than 64 MiB are left."))
    live = engine.live
    versions = {"policy": live.decides, "playbook": live.playbook.version, "refused": dict(live.refused)}
    room = {"free_bytes": disk.free_bytes, "low": disk.low}
    return Reply(body=orjson.dumps({"status": "ready", **versions, "worker": os.getpid(), "disk": room}))


async def exposition(engine: Engine, call: Call) -> Reply:
    return Reply(body=engine.metrics.page(), media_type=metrics.MEDIA_TYPE)


async def documentation(engine: Engine, call: Call) -> Reply:
    return Reply(body=_page(), media_type=b"text/html; charset=utf-8", headers=_SHUT)


async def openapi(engine: Engine, call: Call) -> Reply:
    return Reply(body=_document())


@cache
def _document() -> bytes:
    return orjson.dumps(document())


@cache
def _page() -> bytes:
    return page(document()).encode()


def _id(call: Call) -> str:
    """Raises InvalidInput where the path's id can't be one."""
    given = call.path["id"]
    if not is_id(given):
        raise InvalidInput.of("id", ID_RULE)
    return given


def _receipt(receipt: Receipt) -> Reply:
    rejected = [{"index": r.index, "id": r.id, "detail": r.detail} for r in receipt.rejected]
    counts = {"accepted": receipt.accepted, "duplicates": receipt.duplicates}
    return Reply(status=202, body=orjson.dumps({**counts, "rejected": rejected}))
