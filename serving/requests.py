"""Bytes → commands: what a body means, with the ids, digests and moments the service wants.

A single decision is refused as a whole. In a body of many, each item stands for itself: a bad one keeps
its place as an error or a rejection, the others go in. Field paths are those within the item.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from typing import Any

import orjson
from pydantic import ValidationError
from pydantic_core import from_json

from nba.errors import FieldError, InvalidInput
from nba.model import DecisionRequest, Rejection, Report, Reports, is_id
from serving.problems import dotted, invalid
from serving.schemas import CloudEventIn, DecisionIn, EventIn, OutcomeIn, epoch

MOST_ITEMS = 1_000
CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENTS = "application/cloudevents-batch+json"


def decision_request(body: bytes) -> DecisionRequest:
    """One decision's body. Raises InvalidInput."""
    try:
        return _decision(DecisionIn.model_validate_json(body))
    except ValidationError as error:
        raise invalid(error) from None


def decision_requests(body: bytes) -> list[DecisionRequest | InvalidInput]:
    """A batch's body: for each item, in order, what is asked or what is wrong with it.

    Raises:
        InvalidInput: the body is not `{"decisions": [up to 1,000]}`.
    """
    return [_decision_item(item) for item in _items(body, "decisions")]


def outcomes(body: bytes) -> Reports:
    """`{"outcomes": [...]}`. Raises InvalidInput where the body as a whole is wrong."""
    return _reports(_items(body, "outcomes"), _outcome, "outcome_id")


def events(body: bytes, content_type: str) -> Reports:
    """`{"events": [...]}`, or CloudEvents 1.0, single or a batch, where the content type says so.

    Raises:
        InvalidInput: the body as a whole is wrong, or a single CloudEvent is.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == CLOUD_EVENTS:
        return _reports(_listed(_json(body), "body"), _cloud_event, "id")
    if kind != CLOUD_EVENT:
        return _reports(_items(body, "events"), _event, "event_id")
    try:
        return Reports(items=(_cloud_event(_json(body)),))
    except ValidationError as error:
        raise invalid(error) from None


def _json(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidInput.of("body", f"is not JSON: {error}") from None


def _listed(items: Any, field: str) -> list[Any]:
    if not isinstance(items, list):
        raise InvalidInput.of(field, "must be a list")
    if len(items) > MOST_ITEMS:
        raise InvalidInput.of(field, f"has {len(items):,} items; at most {MOST_ITEMS:,} go in one body")
    return items


def _items(body: bytes, field: str) -> list[Any]:
    """The list under `field`, the one field that the body has."""
    values = _json(body)
    if not isinstance(values, dict):
        raise InvalidInput.of("body", "must be a JSON object")
    unknown = [key for key in values if key != field]
    if unknown:
        raise InvalidInput(
            [FieldError(field=dotted((k,)), detail="there is no such field") for k in unknown[:20]]
        )
    if field not in values:
        raise InvalidInput.of(field, "is missing")
    return _listed(values[field], field)


def _decision_item(item: Any) -> DecisionRequest | InvalidInput:
    try:
        return _decision(DecisionIn.model_validate(item))
    except ValidationError as error:
        return invalid(error)


def _decision(asked: DecisionIn) -> DecisionRequest:
    at = epoch(asked.at)
    return DecisionRequest(
        customer_id=asked.customer_id,
        decision_id=asked.decision_id or _new_id(),
        digest=_digest(asked, at),
        context=asked.context,
        actions=None if asked.actions is None else tuple(asked.actions),
        channels=None if asked.channels is None else tuple(asked.channels),
        activate=asked.activate,
        explain=asked.explain,
        at=at,
    )


def _new_id() -> str:
    """128 random bits. Not `uuid4`: its system call gives up the interpreter lock (60 µs under load)."""
    return f"{random.getrandbits(128):032x}"


def _digest(asked: DecisionIn, at: float | None) -> bytes:
    """SHA-256 over all that is asked, whatever the order of keys, with defaults filled in."""
    narrowed = (asked.actions, asked.channels)
    meaning = (asked.customer_id, asked.context, *narrowed, asked.activate, asked.explain, at)
    return hashlib.sha256(orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)).digest()


def _reports(items: list[Any], read: Callable[[Any], Report], id_field: str) -> Reports:
    return Reports(items=tuple(_report_item(item, read, id_field, i) for i, item in enumerate(items)))


def _report_item(item: Any, read: Callable[[Any], Report], id_field: str, index: int) -> Report | Rejection:
    try:
        return read(item)
    except ValidationError as error:
        detail = invalid(error).detail
    except InvalidInput as error:
        detail = error.detail
    given = item.get(id_field) if isinstance(item, dict) else None
    known = given if isinstance(given, str) and is_id(given) else None
    return Rejection(index=index, id=known, detail=detail)


def _outcome(item: Any) -> Report:
    sent = OutcomeIn.model_validate(item)
    return Report(
        source="outcome",
        id=sent.outcome_id,
        type=sent.type,
        customer_id=sent.customer_id,
        decision_id=sent.decision_id,
        channel=sent.channel,
        occurred_at=epoch(sent.occurred_at),
        value=sent.value,
        properties=sent.properties,
    )


def _event(item: Any) -> Report:
    sent = EventIn.model_validate(item)
    return Report(
        source="event",
        id=sent.event_id,
        type=sent.type,
        customer_id=sent.customer_id,
        channel=sent.channel,
        occurred_at=epoch(sent.occurred_at),
        value=sent.value,
        properties=sent.properties,
    )


def _cloud_event(item: Any) -> Report:
    sent = CloudEventIn.model_validate(item)
    identity = hashlib.sha256(f"{sent.source}\0{sent.id}".encode("utf-8", "surrogatepass")).hexdigest()
    return Report(
        source="event",
        id=identity,
        type=sent.type,
        customer_id=sent.subject,
        channel=sent.data.channel,
        occurred_at=epoch(sent.time),
        value=sent.data.value,
        properties=sent.data.properties,
    )
