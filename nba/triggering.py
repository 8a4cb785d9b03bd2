"""Triggers in a write transaction: what has happened sets them off, and each makes one decision.

The decision's id is made of trigger, customer and occasion, so that an occasion has one, however often it
comes up. The message to the orchestrator is written in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
import orjson
from numpy.typing import NDArray

from nba.gathering import features_of, zone_name
from nba.memory import Memory
from nba.model import Answer, DecisionRequest, Result
from nba.persons import whole
from nba.playbook.compile import Playbook
from nba.playbook.reactions import Trigger
from nba.requests import digest_of
from nba.session import Fired, Session
from nba.stores.ports import CustomerRow, OutboxRow, TouchpointRow
from nba.ticketing import moment

_MICROSECOND = 1e-6
Floats = NDArray[np.float64]


def set_off(session: Session, happened: Sequence[tuple[CustomerRow, TouchpointRow]]) -> None:
    """Set off the triggers that new events and outcomes call for."""
    triggers = _by_event(session.live.playbook)
    if not triggers:
        return
    for customer, row in happened:
        at = moment(session, customer)
        for name, trigger in triggers.get(row.type, ()):
            on = trigger.on
            if on is None or not on.meets(row.type, row.channel, row.value, at - row.occurred_at):
                continue
            if _holds(session, name, customer, at):
                fire(session, name, customer, occasion=f"{row.source} {row.id}", at=at)


def fire(session: Session, name: str, customer: CustomerRow, *, occasion: str, at: float) -> bool:
    """Set a trigger off, unless it went off less than its cooldown ago."""
    trigger = session.live.playbook.spec.triggers[name]
    if trigger.cooldown is not None:
        memory = Memory.of(session, customer)
        last = memory.fired.get(name)
        if last is not None and at - last < trigger.cooldown:
            return False
        memory.fired[name] = at
        memory.keep(session)
    session.fired.append(Fired(name, customer, occasion))
    return True


def one_each(fired: Sequence[Fired]) -> Iterator[list[Fired]]:
    """In each no two are about one person."""
    left = list(fired)
    while left:
        first: dict[str, Fired] = {}
        later = [one for one in left if first.setdefault(_person(one.customer), one) is not one]
        yield list(first.values())
        left = later


def _person(customer: CustomerRow) -> str:
    return customer.person or customer.surrogate


def request_of(session: Session, fired: Fired) -> DecisionRequest:
    """What a trigger asks."""
    trigger = session.live.playbook.spec.triggers[fired.trigger]
    at = None if session.clock == "live" else moment(session, fired.customer) + _MICROSECOND
    name = "\0".join(("trigger", fired.trigger, fired.customer.surrogate, fired.occasion))
    actions = None if trigger.actions is None else tuple(trigger.actions)
    channels = None if trigger.channels is None else tuple(trigger.channels)
    return DecisionRequest(
        customer_id=fired.customer.customer_id,
        decision_id=f"{fired.trigger}.{session.secretly(name)}",
        digest=digest_of(
            customer_id=fired.customer.customer_id,
            context={},
            actions=actions,
            channels=channels,
            activate=True,
            explain=False,
            at=at,
        ),
        actions=actions,
        channels=channels,
        at=at,
    )


def push(session: Session, fired: Fired, asked: DecisionRequest, result: Result) -> None:
    """Tell the orchestrator of a trigger's decision."""
    name = fired.trigger
    if not isinstance(result, Answer):
        session.observer.trigger(name, "failed")
        return
    if result.repeated:  # the occasion has had its decision, and its message
        return
    answer = orjson.loads(result.body)
    silent = answer["channel"] is None
    session.observer.trigger(name, "silent" if silent else "pushed")
    if silent and not session.live.playbook.spec.triggers[name].silence:
        return
    del answer["customer_id"]  # identity stands in one place; whoever tells the message knows it
    message = OutboxRow(
        id=f"triggered.{asked.decision_id}",
        type="decision.triggered",
        surrogate=fired.customer.surrogate,
        decision_id=asked.decision_id,
        at=moment(session, fired.customer),
        body=orjson.dumps({"trigger": name, "decision": answer}),
    )
    session.tell([message])


def _holds(session: Session, name: str, customer: CustomerRow, at: float) -> bool:
    """Whether the trigger's `when` holds, where it has one."""
    rule = session.live.playbook.trigger_rules.get(name)
    return rule is None or bool(rule.holds(seen(session, [customer], [at]))[0])


def seen(session: Session, customers: Sequence[CustomerRow], at: Sequence[float]) -> Floats:
    """(n, F) what rules see of the persons of these locked customers at these moments, without a request."""
    live = session.live
    people = [whole(session, customer) for customer in customers]
    zones = [zone_name(live.playbook, person) for person in people]
    nothing: list[Mapping[str, object]] = [{} for _ in people]
    return features_of(live, people, session.states(people), np.array(at), zones, nothing)


@lru_cache(maxsize=16)
def _by_event(playbook: Playbook) -> Mapping[str, list[tuple[str, Trigger]]]:
    found: dict[str, list[tuple[str, Trigger]]] = {}
    for name, trigger in playbook.spec.triggers.items():
        if trigger.on is not None:
            found.setdefault(trigger.on.event, []).append((name, trigger))
    return found
