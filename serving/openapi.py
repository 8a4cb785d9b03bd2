"""The OpenAPI document, supplied by hand from the tables below and the models of both edges.

FastAPI would write it from its own routes, which we do not use (see `endpoint.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from nba.tickets import STATUSES
from serving import answers, ticket_requests
from serving.customer_answers import CustomerOut
from serving.requests import CLOUD_EVENT, CLOUD_EVENTS, MOST_ITEMS, MOST_WHO, PAGE, USUAL_WHO
from serving.schemas import (
    CloudEventIn,
    DecisionIn,
    EventIn,
    OutcomeIn,
    Sent,
    TicketChangeIn,
    TicketIn,
)

JSON, PROBLEM = "application/json", "application/problem+json"
ID_PATTERN = "^[A-Za-z0-9._~:-]{1,128}$"
_REF = "#/components/schemas/{model}"


class DecisionsIn(Sent):
    """Up to 1,000 decisions; each is answered by itself."""

    decisions: list[DecisionIn] = Field(max_length=MOST_ITEMS)


class OutcomesIn(Sent):
    """Up to 1,000 outcomes; each is taken or rejected by itself."""

    outcomes: list[OutcomeIn] = Field(max_length=MOST_ITEMS)


class EventsIn(Sent):
    """Up to 1,000 events; each is taken or rejected by itself."""

    events: list[EventIn] = Field(max_length=MOST_ITEMS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route as documented.

    Attributes:
        body: model of the JSON body, None where there is none.
        says: status → what it means.
        answer: model of the JSON answer, or a media type where it is something else.
        query: parameters in the address, with their schemas.
        refuses: which problems there are, by status.
    """

    method: str
    path: str
    summary: str
    says: Mapping[int, str]
    answer: type[BaseModel] | str | None = None
    body: type[BaseModel] | None = None
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    refuses: Sequence[int] = ()


_WRITES = (413, 422, 429, 500, 503)
_REFUSALS = {
    404: "There is no such decision, customer or ticket.",
    409: "The id was seen with another body, time went backwards, a held decision has lapsed, or a ticket "
    "has changed meanwhile or can't become that.",
    410: "The customer was erased, and what decisions rested on with them.",
    413: "The body has more than 1,000,000 bytes.",
    422: "A field is wrong; `errors` has the path of each.",
    429: "Too much work is waiting; Retry-After says when to send it again.",
    500: "A defect here; the log has it.",
    503: "The store can't be written now; nothing was stored; Retry-After says when to send it again.",
}

OPERATIONS = (
    Operation(
        method="post",
        path="/v1/decisions",
        summary="Decide for one customer",
        body=DecisionIn,
        answer=answers.Decision,
        says={
            201: "Decided and stored.",
            200: "The id was seen: the same body again. `Nba-Expired: true` where its moment has passed.",
        },
        refuses=(409, 410, *_WRITES),
    ),
    Operation(
        method="post",
        path="/v1/decisions:batch",
        summary="Decide for up to 1,000; answers in order, problems per item",
        body=DecisionsIn,
        answer=answers.Answers,
        says={200: "One answer or problem an item. Where nothing could be stored, the whole is a 503."},
        refuses=_WRITES,
    ),
    Operation(
        method="get",
        path="/v1/decisions/{id}",
        summary="The full trace of a decision",
        answer=answers.TracedDecision,
        says={200: "The answer's fields plus `trace`."},
        refuses=(404, 410, 422, 500, 503),
    ),
    Operation(
        method="post",
        path="/v1/decisions/{id}/activate",
        summary="A held decision was shown",
        says={204: "It counts as shown, also when it already did."},
        refuses=(404, 409, 410, *_WRITES),
    ),
    Operation(
        method="post",
        path="/v1/outcomes",
        summary="Report up to 1,000 outcomes",
        body=OutcomesIn,
        answer=answers.ReceiptOut,
        says={202: "Each was taken, known already, or rejected."},
        refuses=_WRITES,
    ),
    Operation(
        method="post",
        path="/v1/events",
        summary="Report up to 1,000 events, in our own form or as CloudEvents 1.0",
        body=EventsIn,
        answer=answers.ReceiptOut,
        says={202: "Each was taken, known already, or rejected. A single CloudEvent that is wrong is a 422."},
        refuses=_WRITES,
    ),
    Operation(
        method="get",
        path="/v1/customers/{id}",
        summary="All that is known of a customer and of who is linked to it",
        answer=CustomerOut,
        says={200: "The unified view."},
        refuses=(404, 410, 422, 500, 503),
    ),
    Operation(
        method="delete",
        path="/v1/customers/{id}",
        summary="Erase a customer, and all customer ids that are linked to it, everywhere",
        query={"who": {"type": "string", "minLength": 1, "maxLength": MOST_WHO, "default": USUAL_WHO}},
        says={204: "Erased. `who` asked for it stands in the audit. What is not sent yet is in the outbox."},
        refuses=(404, 410, 422, 429, 500, 503),
    ),
    Operation(
        method="get",
        path="/v1/tickets",
        summary="Tickets, oldest first",
        answer=answers.TicketsOut,
        query={
            "customer_id": {"type": "string", "pattern": ID_PATTERN},
            "status": {"type": "string", "enum": list(STATUSES)},
            "after": {"type": "string", "pattern": ID_PATTERN},
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": ticket_requests.MOST,
                "default": ticket_requests.USUAL,
            },
        },
        says={200: "Those of the customer and in the status asked for; none where nobody has this id."},
        refuses=(404, 422, 500, 503),
    ),
    Operation(
        method="post",
        path="/v1/tickets",
        summary="Open a ticket by hand",
        body=TicketIn,
        answer=answers.TicketWithHistory,
        says={201: "Opened.", 200: "The id was seen: the ticket as it is now."},
        refuses=(409, *_WRITES),
    ),
    Operation(
        method="get",
        path="/v1/tickets/{id}",
        summary="A ticket with its history",
        answer=answers.TicketWithHistory,
        says={200: "As it is now."},
        refuses=(404, 422, 500, 503),
    ),
    Operation(
        method="patch",
        path="/v1/tickets/{id}",
        summary="Move a ticket on, give it to somebody, or note something",
        body=TicketChangeIn,
        answer=answers.TicketWithHistory,
        says={200: "As it is after that."},
        refuses=(404, 409, *_WRITES),
    ),
    Operation(
        method="get",
        path="/v1/outbox",
        summary="What the orchestrator must do or know, in order; a message may be pulled twice",
        answer=answers.Outbox,
        query={
            name: {"type": "integer", "minimum": least, "maximum": most, "default": usual}
            for name, (least, most, usual) in PAGE.items()
        },
        says={
            200: "The messages after the number given. Pull again from `next`; none are left where none come."
        },
        refuses=(422, 500, 503),
    ),
    Operation(
        method="get",
        path="/v1/policy",
        summary="What serves, since when, trained through when",
        answer=answers.PolicyOut,
        says={200: "What this worker serves."},
        refuses=(500,),
    ),
    Operation(
        method="get",
        path="/healthz",
        summary="Alive",
        answer=answers.Alive,
        says={200: "The process answers."},
    ),
    Operation(
        method="get",
        path="/readyz",
        summary="Able to decide",
        answer=answers.Ready,
        says={200: "A decision could be stored now; `disk.low` says that room gets short."},
        refuses=(500, 503),
    ),
    Operation(
        method="get",
        path="/metrics",
        summary="Prometheus metrics, all workers added up",
        answer="text/plain",
        says={200: "The exposition text."},
        refuses=(500,),
    ),
    Operation(
        method="get",
        path="/docs",
        summary="This document for people; loads nothing from outside",
        answer="text/html",
        says={200: "A page."},
        refuses=(500,),
    ),
    Operation(
        method="get",
        path="/openapi.json",
        summary="This document",
        answer=JSON,
        says={200: "OpenAPI 3.1."},
        refuses=(500,),
    ),
)


def document(operations: Sequence[Operation] = OPERATIONS) -> dict[str, Any]:
    """The OpenAPI 3.1 document of `operations`."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nba",
            "version": "1",
            "description": "Decide the next best action, channel and moment, or silence; report what came.",
        },
        "paths": paths,
        "components": {"schemas": _schemas(operations)},
    }


def _operation(operation: Operation) -> dict[str, Any]:
    answered = {str(status): _said(operation, text) for status, text in operation.says.items()}
    refused = {str(status): _refused(status) for status in operation.refuses}
    entry: dict[str, Any] = {"summary": operation.summary, "responses": {**answered, **refused}}
    parameters = [_parameter(name, "query", schema) for name, schema in operation.query.items()]
    if "{id}" in operation.path:
        parameters.append(_parameter("id", "path", {"type": "string", "pattern": ID_PATTERN}))
    if parameters:
        entry["parameters"] = parameters
    if operation.body is not None:
        entry["requestBody"] = {"required": True, "content": _taken(operation.body)}
    return entry


def _parameter(name: str, place: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": dict(schema)}


def _said(operation: Operation, text: str) -> dict[str, Any]:
    if operation.answer is None:
        return {"description": text}
    if isinstance(operation.answer, str):
        return {"description": text, "content": {operation.answer: {}}}
    return {"description": text, "content": {JSON: _of(operation.answer)}}


def _refused(status: int) -> dict[str, Any]:
    entry = {"description": _REFUSALS[status], "content": {PROBLEM: _of(answers.ProblemDocument)}}
    if status in (429, 503):
        seconds = {"description": "Seconds.", "schema": {"type": "integer"}}
        return {**entry, "headers": {"Retry-After": seconds}}
    return entry


def _taken(body: type[BaseModel]) -> dict[str, Any]:
    if body is not EventsIn:
        return {JSON: _of(body)}
    several = {"type": "array", "items": _of(CloudEventIn)["schema"], "maxItems": MOST_ITEMS}
    return {JSON: _of(body), CLOUD_EVENT: _of(CloudEventIn), CLOUD_EVENTS: {"schema": several}}


def _of(model: type[BaseModel]) -> dict[str, Any]:
    return {"schema": {"$ref": _REF.format(model=model.__name__)}}


def _schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    bodies = [o.body for o in operations if o.body is not None]
    told = [o.answer for o in operations if isinstance(o.answer, type)]
    models: list[type[BaseModel]] = [*bodies, CloudEventIn, *told, answers.ProblemDocument]
    _, definitions = models_json_schema([(m, "validation") for m in dict.fromkeys(models)], ref_template=_REF)
    schemas: dict[str, Any] = definitions["$defs"]
    return dict(sorted(schemas.items()))
