"""What a decision request means: its digest, and what is wrong with it under a playbook."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from nba.errors import FieldError
from nba.model import DecisionRequest
from nba.playbook.arms import NO_CONTACT
from nba.playbook.catalogue import unknown_features
from nba.playbook.compile import Playbook
from nba.playbook.declaration import Feature
from nba.playbook.rules import nearest
from nba.stores.ports import Clock

_FIELDS = ("customer_id", "context", "actions", "channels", "activate", "explain", "at")
_MARK = 8  # bytes a field
_FIRST = 32  # bytes of the first version's digest
MOST_IGNORED = 50
_CONSTANTS = {  # what most fields are, hashed once
    id(value): hashlib.blake2b(orjson.dumps(value), digest_size=_MARK).digest()
    for value in (None, True, False)
}


def digest_of(
    *,
    customer_id: str,
    context: Mapping[str, Any],
    actions: Sequence[Any] | None,
    channels: Sequence[str] | None,
    activate: bool,
    explain: bool,
    at: float | None,
) -> bytes:
    """What was asked, as one hash a field: a repeat is told from another request, and the difference named.

    Defaults are filled in and the order of keys does not count. `actions` are names and, for actions
    brought along, `{"id", "features"}`.
    """
    values = (customer_id, context, actions, channels, activate, explain, at)
    return b"".join(map(_mark, values))


def same(known: bytes, request: DecisionRequest) -> bool:
    """Whether a logged digest is of this request."""
    return known == request.digest or (len(known) == _FIRST and known == _first_digest(request))


def _first_digest(request: DecisionRequest) -> bytes:
    """As the first version took it: one SHA-256 over all that is asked."""
    narrowed = (request.actions, request.channels)
    rest = (request.activate, request.explain, request.at)
    meaning = (request.customer_id, request.context, *narrowed, *rest)
    return hashlib.sha256(orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)).digest()


def differing(one: bytes, other: bytes) -> list[str]:
    """The fields in which two digests differ."""
    places = range(0, len(_FIELDS) * _MARK, _MARK)
    return [
        field for field, i in zip(_FIELDS, places, strict=True) if one[i : i + _MARK] != other[i : i + _MARK]
    ]


def _mark(value: object) -> bytes:
    known = _CONSTANTS.get(id(value))
    if known is not None:
        return known
    return hashlib.blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=_MARK).digest()


def wrong_fields(request: DecisionRequest, playbook: Playbook, clock: Clock) -> list[FieldError]:
    """Every wrong field with its mend; none where the request can be decided."""
    errors: list[FieldError] = []
    if request.actions is not None:
        named = (*playbook.arms.actions, *(brought.id for brought in request.brought))
        errors += _unknown("actions", request.actions, named)
        errors += _clashing(request, playbook)
    if request.channels is not None:
        errors += _unknown("channels", request.channels, playbook.arms.channels)
    if request.context:
        errors += _mistyped(playbook, request.context)
    if clock == "live" and request.at is not None:
        errors.append(FieldError(field="at", detail="a live server takes the time from its own clock"))
    if clock == "request" and request.at is None:
        errors.append(FieldError(field="at", detail="is needed: this store lives on the request clock"))
    return errors


def _unknown(field: str, asked: tuple[str, ...], names: tuple[str, ...]) -> list[FieldError]:
    known = set(names)
    return [
        FieldError(
            field=f"{field}[{i}]", detail=f"the playbook has no such {field[:-1]}{nearest(name, names)}"
        )
        for i, name in enumerate(asked)
        if name not in known
    ]


def _clashing(request: DecisionRequest, playbook: Playbook) -> list[FieldError]:
    """Brought actions that the playbook lists itself."""
    own = {NO_CONTACT, *playbook.spec.actions}
    clashing = {brought.id for brought in request.brought if brought.id in own}
    detail = "the playbook has an action of this name; name it without features"
    return [
        FieldError(field=f"actions[{i}].id", detail=detail)
        for i, name in enumerate(request.actions or ())
        if name in clashing
    ]


def ignored_of(request: DecisionRequest, playbook: Playbook) -> list[str]:
    """What nothing here knows, as answers name it: context keys, then features of brought actions."""
    ignored = sorted(key for key in request.context if key not in playbook.spec.context)
    if request.brought:
        unknown = unknown_features(playbook, request.brought)
        ignored += [f"actions.features.{name}" for name in unknown]
    return [key[:64] for key in ignored[:MOST_IGNORED]]


_KINDS: Mapping[str, tuple[type, ...]] = {"number": (int, float), "boolean": (bool,), "category": (str,)}


def _mistyped(playbook: Playbook, context: Mapping[str, object]) -> list[FieldError]:
    declared = _context_features(playbook)
    errors = []
    for name, value in context.items():
        feature = declared.get(name)
        if feature is None or value is None:
            continue
        wrong_bool = isinstance(value, bool) and feature.kind != "boolean"
        if wrong_bool or not isinstance(value, _KINDS[feature.kind]):
            kind = "text" if feature.kind == "category" else f"a {feature.kind}"
            errors.append(FieldError(field=f"context.{name}", detail=f"must be {kind}"))
    return errors


@lru_cache(maxsize=16)
def _context_features(playbook: Playbook) -> Mapping[str, Feature]:
    return {f.name: f for f in playbook.schema.features if f.group == "context"}
