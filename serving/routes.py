"""The routes. Each translates a request to a call and a value to a reply, and knows nothing else."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
from starlette.routing import Route

from nba.errors import InvalidInput, Retryable
from nba.live import Live
from nba.model import ID_RULE, Answer, Receipt, is_id
from nba.stores.ports import Publication
from serving import metrics, requests
from serving.docs import page
from serving.endpoint import Call, Endpoint, Handler, Reply, problem_reply
from serving.engine import Engine
from serving.openapi import document
from serving.problems import NO_ROOM, Problem

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


async def outbox(engine: Engine, call: Call) -> Reply:
    return Reply(body=await engine.outbox(*requests.outbox_page(call.query)))


async def policy(engine: Engine, call: Call) -> Reply:
    return Reply(body=orjson.dumps(_serving(engine.live)))


async def healthy(engine: Engine, call: Call) -> Reply:
    return Reply(body=b'{"status":"alive"}')


async def ready(engine: Engine, call: Call) -> Reply:
    disk = await engine.ready()
    if disk.full:
        return problem_reply(Problem(kind=NO_ROOM, detail="Less than 64 MiB are left."))
    live = engine.live
    versions = {"policy": live.decides, "playbook": live.playbook.version}
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


def _serving(live: Live) -> dict[str, Any]:
    own = live.decides == live.policy_name  # in apprentice mode the incumbent decides, and it looks on
    return {
        "policy": live.decides,
        "playbook": live.playbook.version,
        "mode": live.playbook.spec.mode,
        "watching": [name for name, _ in live.watching],
        "trained_through": _timestamp(live.trained_through) if own else None,
        **_published(live.policy_publication if own else None, live.ladder[0][1].specification),
        "scores": None if live.scores_publication is None else _published(live.scores_publication, ""),
    }


def _published(publication: Publication | None, fallback: str) -> dict[str, Any]:
    """Number, artefact and moment; nulls where nothing is published and the fallback serves."""
    if publication is None:
        return {"specification": fallback, "number": None, "artefact": None, "serving_since": None}
    return {
        "specification": publication.specification,
        "number": publication.number,
        "artefact": publication.version,
        "serving_since": _timestamp(publication.published_at),
    }


def _timestamp(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
