"""Tickets in a write transaction: opened by events, by jumps of a score or by hand, moved on, told.

A ticket that opens writes the touchpoint `ticket_opened`, one that is settled `ticket_closed`, in the
transaction in which that happens: so from the very next decision on the rules know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import orjson

from nba.errors import Conflict, InvalidInput, NotFound
from nba.features.state import Touchpoints
from nba.model import TicketOpening, TicketTold, TicketUpdate, timestamp
from nba.playbook.compile import Playbook
from nba.playbook.feedback import SURVEYS
from nba.playbook.reaction_checks import CLOSED, OPENED
from nba.playbook.reactions import TicketRule
from nba.playbook.scalars import DAY
from nba.session import Session
from nba.stores.ports import CustomerRow, OutboxRow, TouchpointRow
from nba.ticket_words import as_json, change_told, told
from nba.tickets import BY_HAND, TicketChangeRow, TicketRow, differing, moved

ENGINE = "nba"
"""Who changed a ticket where nobody did by hand."""


def open_for(session: Session, happened: Sequence[tuple[CustomerRow, TouchpointRow]]) -> None:
    """Open what new events and outcomes call for, by the first rule that each of them meets.

    Where a customer's ticket of the rule is not settled yet, the event is added to its history instead.
    """
    rules = _by_event(session.live.playbook)
    for customer, row in happened:
        at = moment(session, customer)
        met = (
            rule
            for rule in rules.get(row.type, ())
            if rule.on and rule.on.meets(row.type, row.channel, row.value, at - row.occurred_at)
        )
        rule = next(met, None)
        if rule is not None:
            reason = f"{row.type} {row.value:g}" if row.value or row.type in SURVEYS else row.type
            _open_or_note(session, customer, rule, reason, at, event=(row.type, row.id))


def open_for_jump(
    session: Session, customer: CustomerRow, rule: TicketRule, scores: tuple[float, float]
) -> None:
    """Open a ticket since a score rose from the first to the second of `scores`."""
    name = "" if rule.jump is None else rule.jump.score
    reason = f"{name} rose from {scores[0]:.2f} to {scores[1]:.2f}"
    at = moment(session, customer)
    _open_or_note(session, customer, rule, reason, at, event=(name, f"{at:.6f}"))


def open_by_hand(session: Session, command: TicketOpening) -> TicketTold | Conflict | InvalidInput:
    """A ticket that somebody opens; the same one again where its id is known."""
    (customer,) = session.customers([command.customer_id])
    known = session.transaction.tickets([command.ticket_id]).get(command.ticket_id)  # as under the lock
    if known is not None:
        if (known.surrogate, known.reason, known.rule) != (customer.surrogate, command.reason, BY_HAND):
            return Conflict("this ticket_id was used for another ticket; take a new id")
        return TicketTold(body=_body(session, known, customer))
    at = _asked_moment(session, customer, command.at)
    if isinstance(at, (InvalidInput, Conflict)):
        return at
    due_at = at + DAY if command.due_at is None else command.due_at
    ticket = TicketRow(
        ticket_id=command.ticket_id,
        surrogate=customer.surrogate,
        rule=BY_HAND,
        reason=command.reason,
        event_type="",
        event_id="",
        status="open",
        queue=command.queue,
        owner=command.owner,
        opened_at=at,
        due_at=due_at,
        changed_at=at,
        closed_at=None,
        version=1,
    )
    _open(session, customer, ticket, who=command.who, note=command.note)
    return TicketTold(body=_body(session, ticket, customer), made=True)


def change(session: Session, command: TicketUpdate) -> TicketTold | Conflict | NotFound | InvalidInput:
    """Move a ticket on, or note something of it. Raises Conflict where its customer was erased meanwhile."""
    found = session.transaction.tickets([command.ticket_id]).get(command.ticket_id)
    owners = session.customers_of([found.surrogate]) if found is not None else {}
    if found is None or found.surrogate not in owners:
        return NotFound("there is no such ticket")
    (customer,) = session.customers([owners[found.surrogate].customer_id])
    ticket = session.transaction.tickets([command.ticket_id]).get(command.ticket_id)  # as under the lock
    if ticket is None or ticket.surrogate != customer.surrogate:
        raise Conflict("the customer of the ticket was erased meanwhile")  # begin again: there is none now
    if ticket.version != command.version:
        return Conflict(f"the ticket has changed meanwhile: it is at version {ticket.version}; read it again")
    at = _asked_moment(session, customer, command.at)
    if isinstance(at, (InvalidInput, Conflict)):
        return at
    what = differing(ticket, command.change)
    if not what and command.note is None:
        return TicketTold(body=_body(session, ticket, customer))
    try:
        after = moved(ticket, at, what)
    except Conflict as error:
        return error
    _change(session, customer, ticket, after, what, who=command.who, note=command.note)
    return TicketTold(body=_body(session, after, customer))


def moment(session: Session, customer: CustomerRow) -> float:
    """Now, for this locked customer; on the request clock as far as is known of their person."""
    return session.now if session.clock == "live" else max(one.last_at for one in session.kin(customer))


def _theirs(session: Session, customer: CustomerRow) -> list[str]:
    """The surrogates under which tickets and contacts of the customer's person stand."""
    return [one.surrogate for one in session.kin(customer)]


def _asked_moment(
    session: Session, customer: CustomerRow, asked: float | None
) -> float | InvalidInput | Conflict:
    """When something is done by hand."""
    if session.clock == "live":
        if asked is not None:
            return InvalidInput.of("at", "a live server takes the time from its own clock")
        return session.now
    if asked is None:
        return InvalidInput.of("at", "is needed: this store lives on the request clock")
    latest = moment(session, customer)
    if asked < latest:
        return Conflict(f"at is before this customer's latest moment, {timestamp(latest)}")
    return asked


def _open_or_note(
    session: Session,
    customer: CustomerRow,
    rule: TicketRule,
    reason: str,
    at: float,
    event: tuple[str, str],
) -> None:
    unsettled = session.transaction.unsettled_tickets(_theirs(session, customer))
    known = next((ticket for ticket in unsettled if ticket.rule == rule.name), None)
    if known is not None:
        what = {"event_type": event[0], "event_id": event[1], "reason": reason}
        after = replace(known, changed_at=at, version=known.version + 1)
        _change(session, customer, known, after, what, who=ENGINE, note=None)
        return
    ticket_id = session.secretly("\0".join(("ticket", rule.name, customer.surrogate, *event)))
    if session.transaction.tickets([ticket_id]):
        return  # of this event there was one already
    ticket = TicketRow(
        ticket_id=ticket_id,
        surrogate=customer.surrogate,
        rule=rule.name,
        reason=reason,
        event_type=event[0],
        event_id=event[1],
        status="open",
        queue=rule.queue,
        owner=rule.owner,
        opened_at=at,
        due_at=at + rule.due,
        changed_at=at,
        closed_at=None,
        version=1,
    )
    _open(session, customer, ticket, who=ENGINE, note=None)


def _open(session: Session, customer: CustomerRow, ticket: TicketRow, who: str, note: str | None) -> None:
    session.transaction.append_tickets([ticket])
    what = {"status": ticket.status, "queue": ticket.queue, "owner": ticket.owner, "due_at": ticket.due_at}
    first = TicketChangeRow(
        ticket_id=ticket.ticket_id, version=1, at=ticket.opened_at, who=who, what=what, note=note
    )
    session.transaction.append_ticket_changes([first])
    _opened(session, customer, ticket)
    _tell(session, ticket, first, "ticket.opened")
    session.observer.ticket(ticket.rule, "opened")


def _change(
    session: Session,
    customer: CustomerRow,
    before: TicketRow,
    after: TicketRow,
    what: Mapping[str, Any],
    *,
    who: str,
    note: str | None,
) -> None:
    session.transaction.save_tickets([after])
    row = TicketChangeRow(
        ticket_id=after.ticket_id,
        version=after.version,
        at=after.changed_at,
        who=who,
        what=what,
        note=note,
    )
    session.transaction.append_ticket_changes([row])
    if before.unsettled and not after.unsettled:
        _touch(session, customer, after, CLOSED, value=float(bool(after.in_time)))
        session.observer.ticket(after.rule, "settled")
    elif after.unsettled and not before.unsettled:
        _opened(session, customer, after)
        session.observer.ticket(after.rule, "reopened")
    else:
        session.observer.ticket(after.rule, "noted")
    _tell(session, after, row, "ticket.changed")


def _opened(session: Session, customer: CustomerRow, ticket: TicketRow) -> None:
    """The rules know of it from here on, and what is on its way is taken back."""
    _touch(session, customer, ticket, OPENED, value=0.0)
    if session.live.playbook.spec.tickets.withdraw:
        _withdraw(session, customer, ticket)


def _touch(session: Session, customer: CustomerRow, ticket: TicketRow, type: str, value: float) -> None:
    """What happened to a ticket as a touchpoint of its customer."""
    row = TouchpointRow(
        source="outcome" if type == CLOSED else "event",
        id=session.secretly(f"{type}\0{ticket.ticket_id}\0{ticket.version}"),
        surrogate=customer.surrogate,
        type=type,
        channel=None,
        occurred_at=ticket.changed_at,
        value=value,
    )
    session.transaction.append_touchpoints([row])
    session.changed(customer, row.occurred_at)
    touchpoints = Touchpoints.of(
        session.live.playbook.schema,
        row=[0],
        type=[type],
        channel=[None],
        action=[None],
        at=[row.occurred_at],
        value=[value],
    )
    session.fold([customer], touchpoints)


def _withdraw(session: Session, customer: CustomerRow, ticket: TicketRow) -> None:
    """Marketing that is decided and not yet sent is not sent, and counts no longer."""
    now = ticket.changed_at
    coming = [
        contact.decision_id
        for contacts in session.contacts(_theirs(session, customer), now)
        for contact in contacts
        if contact.send_at > now and contact.status == "reserved" and contact.purpose == "marketing"
    ]
    if not coming:
        return
    session.tell(
        OutboxRow(
            id=f"withdrawn.{contact.decision_id}",
            type="decision.withdrawn",
            surrogate=contact.surrogate,
            decision_id=contact.decision_id,
            at=now,
            body=orjson.dumps({"ticket_id": ticket.ticket_id}),
        )
        for contact in session.release(coming, "released")
    )


def _tell(session: Session, ticket: TicketRow, change: TicketChangeRow, type: str) -> None:
    message = OutboxRow(
        id=f"{ticket.ticket_id}.{ticket.version}",
        type=type,
        surrogate=ticket.surrogate,
        decision_id="",
        at=ticket.changed_at,
        body=orjson.dumps({"ticket": told(ticket), "change": change_told(change)}),
    )
    session.tell([message])


def _body(session: Session, ticket: TicketRow, customer: CustomerRow) -> bytes:
    history = session.transaction.ticket_changes(ticket.ticket_id)
    return orjson.dumps(as_json(ticket, customer.customer_id, history))


@lru_cache(maxsize=16)
def _by_event(playbook: Playbook) -> Mapping[str, list[TicketRule]]:
    found: dict[str, list[TicketRule]] = {}
    for rule in playbook.spec.tickets.rules:
        if rule.on is not None:
            found.setdefault(rule.on.event, []).append(rule)
    return found
