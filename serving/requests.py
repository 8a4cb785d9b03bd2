"""Bytes → commands: what a body means, with the ids, digests and moments the service wants.

A single decision is refused as a whole. In a body of many, each item stands for itself: a bad one keeps
its place as an error or a rejection, the others go in. Field paths are those within the item.
"""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError
from pydantic_core import from_json

from nba.errors import FieldError, InvalidInput
from nba.model import DecisionRequest, Rejection, Report, Reports, is_id
from nba.playbook.feedback import SURVEYS
from nba.requests import digest_of
from serving.brought import as_sent, read
from serving.problems import MOST_ERRORS, dotted, invalid
from serving.schemas import CloudEventData, CloudEventIn, DecisionIn, EventIn, OutcomeIn, epoch

MOST_ITEMS = 1_000
PAGE = {"after": (0, 2**62, 0), "limit": (1, MOST_ITEMS, 100)}  # least, most, usual
MOST_WHO, USUAL_WHO = 200, "the API"
_NUMBER = re.compile("[0-9]{1,19}")
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


def outbox_page(query: bytes) -> tuple[int, int]:
    """`?after=<number>&limit=<n>` → both. Raises InvalidInput."""
    given, errors = _given(query, PAGE)
    for name, (least, most, _) in PAGE.items():
        text = given.get(name, str(least))
        if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
            errors.append(FieldError(field=name, detail=f"must be a number from {least} to {most}"))
    if errors:
        raise InvalidInput(errors[:MOST_ERRORS])
    after, limit = (int(given.get(name, usual)) for name, (_, _, usual) in PAGE.items())
    return after, limit


def who(query: bytes) -> str:
    """`?who=<name>` → who asks for it; the API itself where nobody is named. Raises InvalidInput."""
    given, errors = _given(query, ("who",))
    named = given.get("who", USUAL_WHO)
    if not named.isprintable() or not 1 <= len(named.strip()) <= len(named) <= MOST_WHO:
        errors.append(FieldError(field="who", detail=f"must be 1 to {MOST_WHO} letters that can be printed"))
    if errors:
        raise InvalidInput(errors[:MOST_ERRORS])
    return named


def _given(query: bytes, names: Collection[str]) -> tuple[dict[str, str], list[FieldError]]:
    """The parameters of an address, and what is wrong with them."""
    asked = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    errors = [
        FieldError(field=dotted((name,)), detail="there is no such parameter")
        for name, _ in asked
        if name not in names
    ]
    given = dict(asked)
    if len(given) < len(asked):
        errors.append(FieldError(field="query", detail="names a parameter twice"))
    return given, errors


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
    except InvalidInput as error:
        return error


def _decision(asked: DecisionIn) -> DecisionRequest:
    at = epoch(asked.at)
    actions, brought = (None, ()) if asked.actions is None else read(asked.actions)
    return DecisionRequest(
        customer_id=asked.customer_id,
        decision_id=asked.decision_id or new_id(),
        digest=digest_of(
            customer_id=asked.customer_id,
            context=asked.context,
            actions=asked.actions and [as_sent(action) for action in asked.actions],
            channels=asked.channels,
            activate=asked.activate,
            explain=asked.explain,
            at=at,
        ),
        context=asked.context,
        actions=actions,
        channels=None if asked.channels is None else tuple(asked.channels),
        brought=brought,
        activate=asked.activate,
        explain=asked.explain,
        at=at,
    )


def new_id() -> str:
    """48 bits of milliseconds, then 80 random ones: new ids stand together in the store's indexes.

    Not `uuid4`: its system call gives up the interpreter lock (60 µs under load).
    """
    return f"{time.time_ns() // 1_000_000:012x}{random.getrandbits(80):020x}"


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


def _answered(sent: OutcomeIn | EventIn | CloudEventData, type: str, field: str = "value") -> None:
    """A value that is left out is 0, which as an answer to a survey says a lot. Raises InvalidInput."""
    if type in SURVEYS and "value" not in sent.model_fields_set:
        raise InvalidInput.of(field, f"is missing; an event of type {type} is nothing without its answer")


def _outcome(item: Any) -> Report:
    sent = OutcomeIn.model_validate(item)
    _answered(sent, sent.type)
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
    _answered(sent, sent.type)
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
    _answered(sent.data, sent.type, "data.value")
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
