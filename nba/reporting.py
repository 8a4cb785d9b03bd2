"""Events and outcomes: each is taken or rejected by itself, stored once, and folded into its customer.

Only what the playbook declares of a person is kept: other attributes of a `profile` and properties
without a meaning of their own never reach the store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from nba.deciding import ERASED, HELD_SECONDS, fold_contacts
from nba.errors import Conflict, Gone, InvalidInput, NotFound
from nba.features.state import Touchpoints
from nba.looking import call
from nba.model import Activated, Activation, Receipt, Rejection, Report, Reports, Result, Scalar, timestamp
from nba.persons import KIND_RULE, Said, claim, hidden, is_kind
from nba.playbook.feedback import TEXTS
from nba.session import Session
from nba.staging import look_at_stages
from nba.stores.ports import CustomerRow, Store, TouchpointRow
from nba.ticketing import open_for
from nba.triggering import set_off
from nba.words import address_name, answer, consent, hear, profile, text

AHEAD_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class _Sound:
    """A report that is in order: which body it came in, whose it is, when it happened, what counts of it."""

    body: int
    report: Report
    customer_id: str
    at: float
    properties: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class _Taken:
    """A sound report with its customer, and the row that is stored."""

    body: int
    customer: CustomerRow
    row: TouchpointRow
    properties: Mapping[str, Scalar]


def take_reports(session: Session, bodies: Sequence[Reports], store: Store) -> list[Receipt]:
    """One receipt a body. All of a round is stored and folded together; what is rejected leaves no trace."""
    rejected: list[list[Rejection]] = [[] for _ in bodies]
    reader = _Reader(session, store, [i for body in bodies for i in body.items if isinstance(i, Report)])
    sound: list[_Sound] = []
    for b, body in enumerate(bodies):
        for index, item in enumerate(body.items):
            if isinstance(item, Rejection):
                rejected[b].append(item)
                continue
            try:
                sound.append(reader.read(b, item))
            except InvalidInput as error:
                detail = "; ".join(map(str, error.errors))
                rejected[b].append(Rejection(index=index, id=item.id, detail=detail))
    accepted, duplicates = [0] * len(bodies), [0] * len(bodies)
    for taken, is_new in _store(session, sound):
        (accepted if is_new else duplicates)[taken.body] += 1
    return [
        Receipt(accepted=a, duplicates=d, rejected=tuple(r))
        for a, d, r in zip(accepted, duplicates, rejected, strict=True)
    ]


def customers_of(session: Session, bodies: Sequence[Reports], store: Store) -> set[str]:
    """Whom the reports that are in order are about."""
    reports = [item for body in bodies for item in body.items if isinstance(item, Report)]
    reader = _Reader(session, store, reports)
    named: set[str] = set()
    for report in reports:
        with suppress(InvalidInput):  # it is told when its turn comes
            named.add(reader.read(0, report).customer_id)
    return named


class _Reader:
    """Says whose a report is and what it means, or what is wrong with it."""

    def __init__(self, session: Session, store: Store, reports: Sequence[Report]) -> None:
        self._now = session.now
        self._store = store
        self._playbook = session.live.playbook
        named = [r.decision_id for r in reports if r.decision_id is not None]
        self._owners = session.owners(named) if named else {}
        self._erased = {d for d, row in session.decisions(named).items() if row.erased} if named else set()

    def read(self, body: int, report: Report) -> _Sound:
        """Raises InvalidInput with the field that is wrong."""
        return _Sound(body, report, self._customer(report), self._moment(report), self._meaning(report))

    def _customer(self, report: Report) -> str:
        if report.decision_id is None:
            return str(report.customer_id)
        owner = self._owners.get(report.decision_id)
        if owner is None:
            erased = report.decision_id in self._erased
            raise InvalidInput.of("decision_id", ERASED if erased else "there is no such decision")
        if report.customer_id not in (None, owner) and not self._one_person(report.customer_id, owner):
            raise InvalidInput.of("customer_id", "the decision was made for another customer")
        return owner

    def _one_person(self, customer_id: str | None, owner: str) -> bool:
        return any(row.customer_id == customer_id for row in self._store.known(owner))

    def _moment(self, report: Report) -> float:
        if self._store.clock == "request":
            if report.occurred_at is None:
                raise InvalidInput.of("occurred_at", "is needed: this store lives on the request clock")
            return report.occurred_at
        if report.occurred_at is None:
            return self._now
        if report.occurred_at > self._now + AHEAD_SECONDS:
            detail = f"is more than five minutes ahead of this server's clock, {timestamp(self._now)}"
            raise InvalidInput.of("occurred_at", detail)
        return report.occurred_at

    def _meaning(self, report: Report) -> Mapping[str, Scalar]:
        match report.type:
            case "consent":
                return consent(self._playbook, report.channel, report.properties)
            case "profile":
                return profile(self._playbook, report.properties)
            case "identify":
                return _identity(report.properties, self._store.secret)
            case "not_sent" if report.decision_id is None:
                raise InvalidInput.of("decision_id", "name the decision of which nothing was sent")
            case "nps" | "csat" | "ces":
                answer(self._playbook, report.type, report.value)
            case type if type in TEXTS:
                return text(report.properties)
        return {}


def _store(session: Session, sound: Sequence[_Sound]) -> list[tuple[_Taken, bool]]:
    """Store what is new, fold it into its customers, and say what was."""
    customers = session.customers([one.customer_id for one in sound])
    _check_owners(session, sound, customers)
    apart = address_name(session.live.playbook)
    taken = [
        _Taken(one.body, customer, _row(one, customer.surrogate, apart), one.properties)
        for one, customer in zip(sound, customers, strict=True)
    ]
    new = session.transaction.append_touchpoints([t.row for t in taken])
    _apply(session, [t for t, is_new in zip(taken, new, strict=True) if is_new])
    return list(zip(taken, new, strict=True))


def _check_owners(session: Session, sound: Sequence[_Sound], customers: Sequence[CustomerRow]) -> None:
    """See that nobody was erased between the look at their decisions and the lock. Raises Conflict."""
    for one, customer in zip(sound, customers, strict=True):
        if one.report.decision_id is not None:
            row = session.decisions([one.report.decision_id]).get(one.report.decision_id)
            if row is None or row.surrogate != customer.surrogate:
                raise Conflict("the customer of a decision has changed meanwhile")


def _row(sound: _Sound, surrogate: str, apart: str | None) -> TouchpointRow:
    """Args: apart: a property that is kept with the customer only."""
    report = sound.report
    kept = {name: value for name, value in sound.properties.items() if name != apart}
    return TouchpointRow(
        source=report.source,
        id=report.id,
        surrogate=surrogate,
        type=report.type,
        channel=report.channel,
        occurred_at=sound.at,
        value=report.value,
        decision_id=report.decision_id,
        properties=json.dumps(kept, sort_keys=True) if kept else None,
    )


def _identity(properties: Mapping[str, Scalar], secret: bytes) -> dict[str, Scalar]:
    kind, value = properties.get("kind"), properties.get("value")
    if not isinstance(kind, str) or not isinstance(value, str) or not kind or not value:
        raise InvalidInput.of("properties", "an identity has a kind and a value, both text")
    if not is_kind(kind):
        raise InvalidInput.of("properties.kind", KIND_RULE)
    return {"kind": kind, "value": hidden(secret, kind, value)}


def _apply(session: Session, taken: Sequence[_Taken]) -> None:
    """Fold new rows into their customers: attributes, consents, feature state."""
    if not taken:
        return
    unsent = [str(t.row.decision_id) for t in taken if t.row.type == "not_sent"]
    if unsent:
        session.release(unsent, "released")
    for t in taken:
        hear(t.customer, t.row.type, t.row.channel, t.properties, t.row.occurred_at)
        session.changed(t.customer, t.row.occurred_at)
    customers = list({t.customer.customer_id: t.customer for t in taken}.values())
    position = {customer.customer_id: i for i, customer in enumerate(customers)}
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
    said = [_said(t) for t in taken if t.row.type == "identify"]
    if said:
        claim(session, said)
    happened = [(t.customer, t.row) for t in taken]
    open_for(session, happened)
    set_off(session, happened)
    call(session, customers)
    look_at_stages(session, customers)


def _said(taken: _Taken) -> Said:
    kind, value = taken.properties["kind"], taken.properties["value"]
    return Said(customer=taken.customer, kind=str(kind), value=str(value), at=taken.row.occurred_at)


def activate(session: Session, command: Activation) -> Result:
    """A held decision was shown: it counts as a contact from now on, and may train."""
    owner = session.owners([command.decision_id]).get(command.decision_id)
    if owner is None:
        known = session.decisions([command.decision_id]).get(command.decision_id)
        return Gone(ERASED) if known is not None and known.erased else NotFound("there is no such decision")
    (customer,) = session.customers([owner])
    row = session.again(command.decision_id)  # as it is now that its customer is locked
    if row.erased:
        return Gone(ERASED)
    if session.gone(row):
        return Conflict(
            "its contact gave way to another, lapsed or was reported as not sent; ask for a new one"
        )
    if row.status == "active":
        return Activated()
    latest = max(one.last_at for one in session.kin(customer))
    now = latest if session.clock == "request" else session.now
    if now >= row.decided_at + HELD_SECONDS:  # from then on its reservation holds nothing free
        return Conflict("the decision was held for 30 minutes and has lapsed; ask for a new one")
    session.transaction.activate(row.decision_id, now)
    session.observer.activation(row.action, "activated")
    shown = session.again(row.decision_id)
    session.shown(shown)
    fold_contacts(session, [shown], [customer], session.states([customer]))
    return Activated()
