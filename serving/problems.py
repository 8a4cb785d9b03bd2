"""Errors as RFC 9457 problem documents: the one place where an error becomes an HTTP status.

`PROBLEMS` has a row for every class of `nba/errors.py`. A problem says which field is wrong and the
mend; it never repeats a value that the caller sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError

from nba import errors
from nba.errors import FieldError, InvalidInput, NbaError
from nba.model import ID_RULE

MEDIA_TYPE = b"application/problem+json"
MOST_ERRORS = 20  # wrong fields that a problem names
_LONGEST_STEP = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row of the table. `retry_after` is in seconds and None where trying again is no use."""

    status: int
    title: str
    type: str
    retry_after: int | None = None


def _kind(status: int, title: str, name: str, retry_after: int | None = None) -> Kind:
    return Kind(status=status, title=title, type=f"/problems/{name}", retry_after=retry_after)


UNEXPECTED = _kind(500, "Something went wrong here", "unexpected")
NO_SUCH_PATH = _kind(404, "There is no such path", "no-such-path")
NO_ROOM = _kind(503, "The store's disk is nearly full", "no-room", 10)
WRONG_METHOD = _kind(405, "This path has other methods", "wrong-method")

PROBLEMS: dict[type[NbaError], Kind] = {
    errors.NbaError: UNEXPECTED,
    errors.Correctable: _kind(400, "The request needs correcting", "correctable"),
    errors.InvalidInput: _kind(422, "A field is wrong", "invalid-input"),
    errors.InvalidPlaybook: _kind(422, "The playbook is wrong", "invalid-playbook"),
    errors.Conflict: _kind(409, "Conflict with what is known", "conflict"),
    errors.NotFound: _kind(404, "Not found", "not-found"),
    errors.Gone: _kind(410, "It was erased", "gone"),
    errors.TooLarge: _kind(413, "Too large", "too-large"),
    errors.NotEnoughData: _kind(422, "Not enough data", "not-enough-data"),
    errors.Retryable: _kind(503, "Not possible now", "retryable", 1),
    errors.StoreUnavailable: _kind(503, "The store can't be written now", "store-unavailable", 1),
    errors.Overloaded: _kind(429, "Too much work is waiting", "overloaded", 1),
    errors.Busy: _kind(503, "Another process does this now", "busy", 1),
    errors.CallOperator: _kind(500, "A person has to look", "call-operator"),
    errors.CorruptArtefact: _kind(500, "An artefact is corrupt", "corrupt-artefact"),
    errors.SchemaMismatch: _kind(500, "The store doesn't fit this program", "schema-mismatch"),
    errors.MissingLibrary: _kind(500, "A library is missing", "missing-library"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem document and the header that goes with it."""

    kind: Kind
    detail: str
    errors: tuple[FieldError, ...] = ()

    @classmethod
    def of(cls, error: Exception) -> Problem:
        """The problem of an error. What is ours to mend says nothing of what is inside: the log does."""
        kind = PROBLEMS[type(error)] if isinstance(error, NbaError) else UNEXPECTED
        if not isinstance(error, NbaError) or kind.status >= 500:
            again = "send it again later" if kind.retry_after is not None else "the log has the reason"
            return cls(kind=kind, detail=f"The request could not be handled; {again}.")
        found = error.errors if isinstance(error, InvalidInput) else ()
        return cls(kind=kind, detail=error.detail, errors=found)

    def body(self) -> bytes:
        """JSON: type, title, status, detail, and `errors` where single fields are wrong."""
        values: dict[str, Any] = {
            "type": self.kind.type,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
        }
        if self.errors:
            values["errors"] = [{"field": e.field, "detail": e.detail} for e in self.errors]
        return orjson.dumps(values)

    def headers(self) -> list[tuple[bytes, bytes]]:
        if self.kind.retry_after is None:
            return []
        return [(b"retry-after", str(self.kind.retry_after).encode())]


def dotted(path: Sequence[str | int]) -> str:
    """`("actions", 2, "id")` → `actions[2].id`; the empty path is `body`. Steps are cut to 64 letters."""
    text = ""
    for step in path:
        part = f"[{step}]" if isinstance(step, int) else str(step)[:_LONGEST_STEP]
        text += part if isinstance(step, int) or not text else f".{part}"
    return text or "body"


def invalid(error: ValidationError, prefix: Sequence[str | int] = ()) -> InvalidInput:
    """pydantic's findings in our words: the path of each field and what is wrong, never the value."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return InvalidInput(
        [_field_error(item["type"], item["loc"], item["msg"], prefix) for item in found[:MOST_ERRORS]]
    )


def _field_error(
    kind: str, location: Sequence[str | int], message: str, prefix: Sequence[str | int]
) -> FieldError:
    if kind == "extra_forbidden":
        detail = "there is no such field"
    elif kind == "missing":
        detail = "is missing"
    elif kind == "string_pattern_mismatch" and str(location[-1]).endswith("_id"):
        detail = ID_RULE
    elif kind in ("model_type", "dict_type"):
        detail = "must be a JSON object"
    else:
        detail = message.removeprefix("Value error, ")
        detail = detail[0].lower() + detail[1:]
    return FieldError(field=dotted((*prefix, *location)), detail=detail)
