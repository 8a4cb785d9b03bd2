"""Bytes → what is asked of tickets."""

from __future__ import annotations

from typing import Any, TypedDict, get_args
from urllib.parse import parse_qsl

from pydantic import ValidationError

from nba.errors import FieldError, InvalidInput
from nba.model import ID_RULE, TicketOpening, TicketUpdate, is_id
from nba.tickets import STATUSES, Status
from serving.problems import MOST_ERRORS, dotted, invalid
from serving.requests import new_id
from serving.schemas import TicketChangeIn, TicketIn, epoch

MOST, USUAL = 1_000, 100
_CHANGEABLE = ("status", "queue", "owner", "due_at")
_PARAMETERS = ("customer_id", "status", "after", "limit")


class Page(TypedDict):
    """Which tickets are asked for; see `nba.ticket_pages.tickets`."""

    customer_id: str | None
    status: Status | None
    after: str | None
    limit: int


def opening(body: bytes) -> TicketOpening:
    """Raises InvalidInput."""
    try:
        sent = TicketIn.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None
    return TicketOpening(
        ticket_id=sent.ticket_id or new_id(),
        customer_id=sent.customer_id,
        reason=sent.reason,
        who=sent.who,
        queue=sent.queue,
        owner=sent.owner,
        due_at=epoch(sent.due_at),
        note=sent.note,
        at=epoch(sent.at),
    )


def update(ticket_id: str, body: bytes) -> TicketUpdate:
    """Raises InvalidInput, also where nothing is asked for."""
    try:
        sent = TicketChangeIn.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None
    asked: dict[str, Any] = {n: getattr(sent, n) for n in _CHANGEABLE if n in sent.model_fields_set}
    for name in ("status", "due_at"):
        if name in asked and asked[name] is None:
            raise InvalidInput.of(name, "is never empty; leave it out to leave it as it is")
    if "due_at" in asked:
        asked["due_at"] = epoch(sent.due_at)
    if not asked and sent.note is None:
        raise InvalidInput.of("body", f"changes nothing; name one of {', '.join(_CHANGEABLE)} or a note")
    return TicketUpdate(
        ticket_id=ticket_id,
        version=sent.version,
        change=asked,
        who=sent.who,
        note=sent.note,
        at=epoch(sent.at),
    )


def page(query: bytes) -> Page:
    """`?customer_id=&status=&after=&limit=`, all of them optional. Raises InvalidInput."""
    asked = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    given = dict(asked)
    errors = [
        FieldError(field=dotted((name,)), detail="there is no such parameter")
        for name in given
        if name not in _PARAMETERS
    ]
    if len(given) < len(asked):
        errors.append(FieldError(field="query", detail="names a parameter twice"))
    ids = [name for name in ("customer_id", "after") if name in given and not is_id(given[name])]
    errors += [FieldError(field=name, detail=ID_RULE) for name in ids]
    status = next((s for s in STATUSES if s == given.get("status")), None)
    if "status" in given and status is None:
        errors.append(FieldError(field="status", detail=f"must be one of {', '.join(get_args(Status))}"))
    limit = given.get("limit", str(USUAL))
    if not (limit.isascii() and limit.isdecimal() and len(limit) < 5 and 1 <= int(limit) <= MOST):
        errors.append(FieldError(field="limit", detail=f"must be a number from 1 to {MOST}"))
    if errors:
        raise InvalidInput(errors[:MOST_ERRORS])
    return Page(
        customer_id=given.get("customer_id"), status=status, after=given.get("after"), limit=int(limit)
    )
