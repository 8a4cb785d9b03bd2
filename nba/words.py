"""What customers and companies say of a customer: attributes and consents. The latest word counts.

Words carry their own time, so that the order in which they arrive does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from nba.contact.caps import PURPOSES
from nba.contact.zones import is_zone
from nba.errors import InvalidInput
from nba.features.rows import code
from nba.model import Scalar
from nba.playbook.compile import Playbook
from nba.playbook.declaration import Feature
from nba.stores.ports import CustomerRow


def hear(
    customer: CustomerRow, type: str, channel: str | None, properties: Mapping[str, Scalar], at: float
) -> None:
    """Note a checked `profile` or `consent` in the customer's row; other types say nothing here."""
    if type == "profile":
        for name, value in properties.items():
            _latest(customer.attributes, name, value, at)
    elif type == "consent":
        _latest(customer.consents, f"{properties['purpose']}|{channel or '*'}", properties["granted"], at)


def consent(playbook: Playbook, channel: str | None, properties: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The properties of a `consent` that count: purpose and granted. Raises InvalidInput with the field."""
    purpose = properties.get("purpose", "marketing")
    granted = properties.get("granted")
    if purpose not in PURPOSES:
        raise InvalidInput.of("properties.purpose", f"must be one of {', '.join(PURPOSES)}")
    if not isinstance(granted, bool):
        raise InvalidInput.of("properties.granted", "must be true or false")
    if channel is not None and channel not in playbook.spec.channels:
        raise InvalidInput.of("channel", "the playbook has no such channel; null is all of them")
    return {"purpose": purpose, "granted": granted}


def profile(playbook: Playbook, properties: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The declared attributes of a `profile`, and `timezone`; the rest is dropped. Raises InvalidInput."""
    declared = _attributes(playbook)
    kept: dict[str, Scalar] = {}
    for name, value in properties.items():
        if name == "timezone":
            if value is not None and not is_zone(str(value)):
                raise InvalidInput.of("properties.timezone", "there is no such time zone")
        elif name not in declared:
            continue
        elif value is not None and np.isnan(code(declared[name], value)):
            feature = declared[name]
            mend = f"one of {', '.join(feature.categories)}" if feature.categories else f"a {feature.kind}"
            raise InvalidInput.of(f"properties.{name}", f"must be {mend}")
        kept[name] = value
    return kept


@lru_cache(maxsize=16)
def _attributes(playbook: Playbook) -> Mapping[str, Feature]:
    return {f.name: f for f in playbook.schema.features if f.group == "attribute"}


def _latest(values: dict[str, list[Any]], name: str, value: Scalar, at: float) -> None:
    """Last word wins by its own time, whatever the order of arrival; of two at one time the smaller.

    So a refusal wins over a consent, and "not known" over a value.
    """
    known = values.get(name)
    if known is None or at > known[1] or (at == known[1] and _rank(value) < _rank(known[0])):
        values[name] = [value, at]


def _rank(value: Scalar) -> tuple[int, Scalar]:
    """An order over values of all kinds."""
    if value is None:
        return 0, 0.0
    return (2, value) if isinstance(value, str) else (1, value)
