"""What customers and companies say of a customer: attributes and consents. The latest word counts.

Words carry their own time, so that the order in which they arrive does not matter.
"""

from __future__ import annotations

import re
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
from nba.playbook.feedback import LONGEST_TEXT, Survey
from nba.stores.ports import CustomerRow

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*")


def hear(
    customer: CustomerRow, type: str, channel: str | None, properties: Mapping[str, Scalar], at: float
) -> None:
    """Note a checked `profile` or `consent` in the customer's row; other types say nothing here."""
    if type == "profile":
        for name, value in properties.items():
            latest(customer.attributes, name, value, at)
    elif type == "consent":
        latest(customer.consents, f"{properties['purpose']}|{channel or '*'}", properties["granted"], at)


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
        elif name == address_name(playbook):
            if value is not None and not _is_address(value):
                raise InvalidInput.of(
                    f"properties.{name}", "must be an e-mail address, such as ada@example.org"
                )
        elif name not in declared:
            continue
        elif value is not None and np.isnan(code(declared[name], value)):
            feature = declared[name]
            mend = f"one of {', '.join(feature.categories)}" if feature.categories else f"a {feature.kind}"
            raise InvalidInput.of(f"properties.{name}", f"must be {mend}")
        kept[name] = value
    return kept


def address_name(playbook: Playbook) -> str | None:
    """The attribute in which a customer's e-mail address is kept; None where no e-mail is sent from here.

    It is kept with the customer only: no feature, no touchpoint and no log has it.
    """
    smtp = playbook.spec.deliver.smtp
    return None if smtp is None else smtp.address


def _is_address(value: Scalar) -> bool:
    """Whether a server may be asked about it; only sending shows whether there is such a mailbox.

    What a header would take for an encoded word is none: it could hold other addresses.
    """
    return (
        isinstance(value, str)
        and len(value) <= 254
        and "=?" not in value
        and _ADDRESS.fullmatch(value) is not None
    )


def answer(playbook: Playbook, survey: Survey, value: float) -> None:
    """Check an answer to a survey. Raises InvalidInput where nobody can have given it."""
    scale = playbook.spec.feedback.scale(survey)
    if not scale.has(value):
        mend = f"an answer of type {survey} is {scale.described()}; feedback.{survey} in the playbook says so"
        raise InvalidInput.of("value", mend)


def text(properties: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """What is kept of a review, comment or complaint: its text, which may be missing. Raises InvalidInput."""
    said = properties.get("text")
    if said is None:
        return {}
    if not isinstance(said, str):
        raise InvalidInput.of("properties.text", "must be text")
    size = len(said.encode("utf-8", "surrogatepass"))
    if size > LONGEST_TEXT:
        detail = f"has {size:,} bytes; at most {LONGEST_TEXT:,} are taken"
        raise InvalidInput.of("properties.text", detail)
    return {"text": said}


@lru_cache(maxsize=16)
def _attributes(playbook: Playbook) -> Mapping[str, Feature]:
    return {f.name: f for f in playbook.schema.features if f.group == "attribute"}


def latest(values: dict[str, list[Any]], name: str, value: Scalar, at: float) -> None:
    """Keep a word in `values`: the last wins by its own time, whatever the order of arrival; of two at one
    time the smaller.

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
