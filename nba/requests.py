"""What is wrong with a decision request under a playbook: names it doesn't have, kinds it doesn't mean."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from nba.errors import FieldError
from nba.model import DecisionRequest
from nba.playbook.compile import Playbook
from nba.playbook.declaration import Feature
from nba.playbook.rules import nearest
from nba.stores.ports import Clock


def wrong_fields(request: DecisionRequest, playbook: Playbook, clock: Clock) -> list[FieldError]:
    """Every wrong field with its mend; none where the request can be decided."""
    errors = [
        *_unknown("actions", request.actions, playbook.arms.actions),
        *_unknown("channels", request.channels, playbook.arms.channels),
        *_mistyped(playbook, request.context),
    ]
    if clock == "live" and request.at is not None:
        errors.append(FieldError(field="at", detail="a live server takes the time from its own clock"))
    if clock == "request" and request.at is None:
        errors.append(FieldError(field="at", detail="is needed: this store lives on the request clock"))
    return errors


def _unknown(field: str, asked: tuple[str, ...] | None, names: tuple[str, ...]) -> list[FieldError]:
    return [
        FieldError(
            field=f"{field}[{i}]", detail=f"the playbook has no such {field[:-1]}{nearest(name, names)}"
        )
        for i, name in enumerate(asked or ())
        if name not in names
    ]


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
