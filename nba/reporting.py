"""Events and outcomes: each is taken or rejected by itself, stored once, and folded into its customer.

Only what the playbook declares of a person is kept: other attributes of a `profile` and properties
without a meaning of their own never reach the store.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nba.deciding import HELD_SECONDS, fold_contacts
from nba.errors import Conflict, InvalidInput, NotFound
from nba.features.state import Touchpoints
from nba.model import Activated, Activation, Receipt, Rejection, Report, Reports, Result, Scalar
from nba.record import timestamp
from nba.session import Session
from nba.stores.ports import CustomerRow, Store, TouchpointRow
from nba.words import consent, hear, profile

AHEAD_SECONDS = 300.0
_WITH_TEXT = ("review", "comment", "complaint")


@dataclass(frozen=True, slots=True)
class _Taken:
    """A report that is in order: whose it is, and the row that will be stored."""

    body: int
    customer: CustomerRow
    row: TouchpointRow
    properties: Mapping[str, Scalar]


def take_reports(session: Session, bodies: Sequence[Reports], store: Store) -> list[Receipt]:
    """One receipt a body. All of a round is stored and folded together."""
    named = [item for body in bodies for item in body.items if isinstance(item, Report)]
    if not named and not any(body.items for body in bodies):
        return [Receipt(accepted=0, duplicates=0, rejected=()) for _ in bodies]
    reader = _Reader(session, store, named)
    taken: list[_Taken] = []
    rejected: list[list[Rejection]] = [[] for _ in bodies]
    for b, body in enumerate(bodies):
        for index, item in enumerate(body.items):
            if isinstance(item, Rejection):
                rejected[b].append(item)
                continue
            try:
                taken.append(reader.read(b, item))
            except InvalidInput as error:
                detail = "; ".join(map(str, error.errors))
                rejected[b].append(Rejection(index=index, id=item.id, detail=detail))
    new = session.transaction.append_touchpoints([t.row for t in taken])
    _apply(session, [t for t, is_new in zip(taken, new, strict=True) if is_new])
    accepted, duplicates = [0] * len(bodies), [0] * len(bodies)
    for t, is_new in zip(taken, new, strict=True):
        (accepted if is_new else duplicates)[t.body] += 1
    return [
        Receipt(accepted=a, duplicates=d, rejected=tuple(sorted(r, key=lambda x: x.index)))
        for a, d, r in zip(accepted, duplicates, rejected, strict=True)
    ]


class _Reader:
    """Turns reports into rows, or says what is wrong with them."""

    def __init__(self, session: Session, store: Store, reports: Sequence[Report]) -> None:
        self._session = session
        self._store = store
        self._playbook = session.live.playbook
        named = [r.decision_id for r in reports if r.decision_id is not None]
        self._decisions = session.decisions(list(dict.fromkeys(named)))
        self._owners = session.customers_of([d.surrogate for d in self._decisions.values()])
        known = [r.customer_id for r in reports if r.customer_id is not None and self._names_itself(r)]
        self._customers = {row.customer_id: row for row in session.customers(list(dict.fromkeys(known)))}

    def _names_itself(self, report: Report) -> bool:
        return report.decision_id is None or report.decision_id in self._decisions

    def read(self, body: int, report: Report) -> _Taken:
        """Raises InvalidInput with the field that is wrong."""
        customer = self._customer(report)
        properties, channel = self._meaning(report)
        row = TouchpointRow(
            source=report.source,
            id=report.id,
            surrogate=customer.surrogate,
            type=report.type,
            channel=channel,
            occurred_at=self._moment(report),
            value=report.value,
            decision_id=report.decision_id,
            properties=json.dumps(properties, sort_keys=True) if properties else None,
        )
        return _Taken(body, customer, row, properties)

    def _customer(self, report: Report) -> CustomerRow:
        if report.decision_id is None:
            return self._customers[str(report.customer_id)]
        decision = self._decisions.get(report.decision_id)
        owner = self._owners.get(decision.surrogate) if decision is not None else None
        if owner is None:
            raise InvalidInput.of("decision_id", "there is no such decision")
        if report.customer_id not in (None, owner.customer_id):
            raise InvalidInput.of("customer_id", "the decision was made for another customer")
        return owner

    def _moment(self, report: Report) -> float:
        now = self._session.now
        if self._store.clock == "request":
            if report.occurred_at is None:
                raise InvalidInput.of("occurred_at", "is needed: this store lives on the request clock")
            return report.occurred_at
        if report.occurred_at is None:
            return now
        if report.occurred_at > now + AHEAD_SECONDS:
            detail = f"is more than five minutes ahead of this server's clock, {timestamp(now)}"
            raise InvalidInput.of("occurred_at", detail)
        return report.occurred_at

    def _meaning(self, report: Report) -> tuple[dict[str, Scalar], str | None]:
        match report.type:
            case "consent":
                return consent(self._playbook, report.channel, report.properties), report.channel
            case "profile":
                return profile(self._playbook, report.properties), report.channel
            case "identify":
                return _identity(report.properties, self._store.secret), report.channel
            case type if type in _WITH_TEXT and isinstance(report.properties.get("text"), str):
                return {"text": report.properties["text"]}, report.channel
        return {}, report.channel


def _identity(properties: Mapping[str, Scalar], secret: bytes) -> dict[str, Scalar]:
    kind, value = properties.get("kind"), properties.get("value")
    if not isinstance(kind, str) or not isinstance(value, str) or not kind or not value:
        raise InvalidInput.of("properties", "an identity has a kind and a value, both text")
    hidden = hmac.digest(secret, f"identity:{kind}:{value}".encode(), hashlib.sha256).hex()
    return {"kind": kind[:64], "value": hidden}


def _apply(session: Session, taken: Sequence[_Taken]) -> None:
    """Fold new rows into their customers: attributes, consents, feature state."""
    for t in taken:
        hear(t.customer, t.row.type, t.row.channel, t.properties, t.row.occurred_at)
    customers = list({t.customer.customer_id: t.customer for t in taken}.values())
    position = {customer.customer_id: i for i, customer in enumerate(customers)}
    if taken:
        touchpoints = Touchpoints.of(
            session.live.playbook.schema,
            row=[position[t.customer.customer_id] for t in taken],
            type=[t.row.type for t in taken],
            channel=[t.row.channel for t in taken],
            action=[None] * len(taken),
            at=[t.row.occurred_at for t in taken],
            value=[t.row.value for t in taken],
        )
        session.fold(customers, touchpoints)
    for t in taken:
        session.changed(t.customer, t.row.occurred_at)


def activate(session: Session, command: Activation) -> Result:
    """A held decision was shown: it counts as a contact from now on, and may train."""
    row = session.decisions([command.decision_id]).get(command.decision_id)
    if row is None:
        return NotFound("there is no such decision")
    if row.status == "active":
        return Activated()
    customer = session.customers_of([row.surrogate])[row.surrogate]
    now = customer.last_at if session.clock == "request" else session.now
    if now > row.decided_at + HELD_SECONDS:
        return Conflict("the decision was held for 30 minutes and has lapsed; ask for a new one")
    session.flush()
    session.transaction.activate(row.decision_id, now)
    session.forget(row)
    shown = session.decisions([row.decision_id])[row.decision_id]
    fold_contacts(session, [shown], [customer])
    return Activated()
