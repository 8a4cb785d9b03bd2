"""Actions of a request: names of the playbook's, and the caller's own with their features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from nba.errors import FieldError, InvalidInput
from nba.model import BroughtAction
from nba.playbook.catalogue import feature_name_error
from serving.problems import MOST_ERRORS, dotted
from serving.schemas import MOST_BROUGHT, BroughtActionIn

Asked = Sequence[str | BroughtActionIn]


def read(asked: Asked) -> tuple[tuple[str, ...], tuple[BroughtAction, ...]]:
    """The names of all, and the brought ones with their features in the order of their names.

    Raises:
        InvalidInput: too many are brought, an id is there twice, or a feature can't be called so.
    """
    brought = [action for action in asked if isinstance(action, BroughtActionIn)]
    if brought:
        _check(asked, len(brought))
    names = tuple(action if isinstance(action, str) else action.id for action in asked)
    return names, tuple(BroughtAction(id=b.id, features=tuple(sorted(b.features.items()))) for b in brought)


def as_sent(action: str | BroughtActionIn) -> object:
    """An action as JSON, its defaults filled in."""
    return action if isinstance(action, str) else {"id": action.id, "features": action.features}


def _check(asked: Asked, brought: int) -> None:
    if brought > MOST_BROUGHT:
        detail = f"brings {brought} actions along; at most {MOST_BROUGHT} go in one request"
        raise InvalidInput.of("actions", detail)
    errors = [*islice(_wrong(asked), MOST_ERRORS)]
    if errors:
        raise InvalidInput(errors)


def _wrong(asked: Asked) -> Iterator[FieldError]:
    names = {action for action in asked if isinstance(action, str)}
    for i, action in enumerate(asked):
        if isinstance(action, str):
            continue
        if action.id in names:
            yield FieldError(field=f"actions[{i}].id", detail="is in this list twice")
        names.add(action.id)
        for name in action.features:
            if mend := feature_name_error(name):
                yield FieldError(field=dotted(("actions", i, "features", name)), detail=mend)
