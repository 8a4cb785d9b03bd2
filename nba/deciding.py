"""Decision requests → logged decisions and answers: gathers what the pure decision needs, and records it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nba.chance import Group, group_of, uniforms
from nba.contact.caps import PURPOSES, Ledger
from nba.contact.eligibility import Situation
from nba.decide import decide
from nba.errors import Conflict, InvalidInput
from nba.features.rows import assemble
from nba.features.state import Touchpoints
from nba.model import Answer, ContactRow, DecisionRequest, Result
from nba.playbook.compile import Playbook
from nba.playbook.declaration import CONTACT
from nba.policies.served import UniformPolicy
from nba.record import Grounds, Subject, decision_row, timestamp
from nba.requests import wrong_fields
from nba.session import Session
from nba.stores.ports import Clock, CustomerRow, DecisionRow

HELD_SECONDS = 1_800.0
_MICROSECOND = 1e-6
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that is in order: its place in the round, whom it is about, at which moment."""

    place: int
    request: DecisionRequest
    customer: CustomerRow
    group: Group
    at: float


class Deciding:
    """Answers requests of one round, in which no two share a customer or a decision id."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    def answer(self, session: Session, requests: Sequence[DecisionRequest]) -> list[Result]:
        """One result a request, in order: an answer, or the error that is its alone."""
        seen = session.decisions([request.decision_id for request in requests])
        results: dict[int, Result] = {}
        for i, request in enumerate(requests):
            known = seen.get(request.decision_id)
            if known is not None:
                results[i] = _repeat(known, request, session.now)
            elif errors := wrong_fields(request, session.live.playbook, self._clock):
                results[i] = InvalidInput(errors)
        fresh = [i for i in range(len(requests)) if i not in results]
        customers = session.customers([requests[i].customer_id for i in fresh])
        asked: list[_Asked] = []
        for i, customer in zip(fresh, customers, strict=True):
            at = _moment(requests[i], customer, session.now)
            if self._clock == "request" and at < customer.last_at:
                latest = timestamp(customer.last_at)
                results[i] = Conflict(f"at is before this customer's latest moment, {latest}")
            else:
                group = group_of(self._secret, customer.customer_id, session.live.playbook.spec.groups)
                asked.append(_Asked(i, requests[i], customer, group, at))
        for one, row in zip(asked, self._decide(session, asked), strict=True):
            results[one.place] = Answer(body=row.body, repeated=False, expired=False)
        return [results[i] for i in range(len(requests))]

    def _decide(self, session: Session, asked: Sequence[_Asked]) -> list[DecisionRow]:
        """Decide, log and fold; nothing here may depend on the arm drawn but what is recorded of it."""
        if not asked:
            return []
        live, playbook = session.live, session.live.playbook
        situation = _situation(session, asked)
        draws = uniforms(self._secret, [one.request.decision_id for one in asked])
        decided = decide(
            session.gatekeeper,
            situation,
            draws,
            policy=live.policy,
            random_policy=_uniform_policy(playbook),
            at_random=np.array([one.group == "random_eligible" for one in asked]),
        )
        grounds = Grounds(
            decided=decided, situation=situation, uniforms=draws, live=live, gatekeeper=session.gatekeeper
        )
        rows = [decision_row(_subject(one), grounds, i) for i, one in enumerate(asked)]
        session.append(rows, [contact_row(row, playbook) for row in rows if row.channel is not None])
        fold_contacts(session, rows, [one.customer for one in asked])
        return rows


def _subject(asked: _Asked) -> Subject:
    return Subject(
        request=asked.request,
        surrogate=asked.customer.surrogate,
        group=asked.group,
        now=asked.at,
        state_version=asked.customer.version,
    )


def _situation(session: Session, asked: Sequence[_Asked]) -> Situation:
    playbook, arms = session.live.playbook, session.live.playbook.arms
    customers = [one.customer for one in asked]
    now = np.array([one.at for one in asked])
    zones = [zone_name(playbook, customer) for customer in customers]
    features = assemble(
        playbook,
        states=session.states(customers),
        now=now,
        zones=zones,
        attributes=[{name: value for name, (value, _) in c.attributes.items()} for c in customers],
        context=[one.request.context for one in asked],
        scores=session.live.scores,
    )
    return Situation(
        now=now,
        zones=zones,
        features=features,
        consent=np.array([consent_of(playbook, customer) for customer in customers]),
        ledger=_ledger(session, customers, now),
        asked_actions=_narrowed([one.request.actions for one in asked], arms.actions),
        asked_channels=_narrowed([one.request.channels for one in asked], arms.channels),
        holdout=np.array([one.group == "holdout" for one in asked]),
    )


def _ledger(session: Session, customers: Sequence[CustomerRow], now: NDArray[np.float64]) -> Ledger:
    horizon = reach(session.live.playbook)
    if horizon == 0.0:
        return Ledger.of(session.live.playbook, [[]] * len(customers))
    contacts = session.contacts([c.surrogate for c in customers], float(now.min()) - horizon)
    counting = [
        [c for c in rows if c.expires_at is None or c.expires_at > moment]
        for rows, moment in zip(contacts, now.tolist(), strict=True)
    ]
    return Ledger.of(session.live.playbook, counting)


def _moment(request: DecisionRequest, customer: CustomerRow, now: float) -> float:
    """When the decision is made: strictly after what came in with it, which is no outcome of it."""
    if request.at is not None:
        return request.at
    return now + _MICROSECOND if customer.last_at == now else now


def contact_row(row: DecisionRow, playbook: Playbook) -> ContactRow:
    """The ledger's entry of a decision to contact: reserved, or held until it is shown."""
    held = row.status == "held"
    return ContactRow(
        decision_id=row.decision_id,
        surrogate=row.surrogate,
        action=row.action,
        channel=str(row.channel),
        purpose=playbook.spec.actions[row.action].purpose,
        send_at=row.decided_at if row.send_at is None else row.send_at,
        status="held" if held else "reserved",
        expires_at=row.decided_at + HELD_SECONDS if held else None,
    )


def fold_contacts(session: Session, rows: Sequence[DecisionRow], customers: Sequence[CustomerRow]) -> None:
    """Active contacts become touchpoints of their customers, at the moment they were decided or shown."""
    made = [(r, c) for r, c in zip(rows, customers, strict=True) if r.channel and r.status == "active"]
    if made:
        touchpoints = Touchpoints.of(
            session.live.playbook.schema,
            row=list(range(len(made))),
            type=[CONTACT] * len(made),
            channel=[row.channel for row, _ in made],
            action=[row.action for row, _ in made],
            at=[_latest_moment(row) for row, _ in made],
            value=[1.0] * len(made),
        )
        session.fold([customer for _, customer in made], touchpoints)
    for row, customer in zip(rows, customers, strict=True):
        session.changed(customer, _latest_moment(row))


def _latest_moment(row: DecisionRow) -> float:
    return row.decided_at if row.activated_at is None else row.activated_at


@lru_cache(maxsize=16)
def _uniform_policy(playbook: Playbook) -> UniformPolicy:
    return UniformPolicy.of(playbook)


@lru_cache(maxsize=16)
def reach(playbook: Playbook) -> float:
    """How many seconds back a contact can matter to a cap or a cooldown."""
    cooldowns = [a.cooldown for a in playbook.spec.actions.values() if a.cooldown is not None]
    return max([*(cap.within for cap in playbook.spec.contact.caps), *cooldowns], default=0.0)


def zone_name(playbook: Playbook, customer: CustomerRow) -> str:
    """The customer's time zone, or the playbook's where none is known."""
    known = customer.attributes.get("timezone")
    return str(known[0]) if known and known[0] is not None else playbook.spec.timezone


def consent_of(playbook: Playbook, customer: CustomerRow) -> Bools:
    """(purposes, channels): where consent is known and granted; the latest word wins, for one or for all."""
    granted = np.zeros((len(PURPOSES), len(playbook.arms.channels)), dtype=np.bool_)
    words = customer.consents
    for place, names in _consent_names(playbook) if words else ():
        known = [words[name] for name in names if name in words]
        if known:  # of two words at one moment the refusal counts
            granted[place] = max(known, key=lambda word: (word[1], not word[0]))[0]
    return granted


@lru_cache(maxsize=16)
def _consent_names(playbook: Playbook) -> list[tuple[tuple[int, int], tuple[str, str]]]:
    """Where a consent stands in (purposes, channels), and the two names under which it may be given."""
    return [
        ((i, j), (f"{purpose}|{channel}", f"{purpose}|*"))
        for i, purpose in enumerate(PURPOSES)
        for j, channel in enumerate(playbook.arms.channels)
    ]


def _repeat(known: DecisionRow, request: DecisionRequest, now: float) -> Result:
    if known.digest != request.digest:
        return Conflict("this decision_id was used with another request; take a new one")
    expired = known.send_at is not None and request.at is None and known.send_at < now
    return Answer(body=known.body, repeated=True, expired=expired)


def _narrowed(asked: Sequence[tuple[str, ...] | None], names: tuple[str, ...]) -> Bools:
    """(n, names) which are allowed; None allows all."""
    allowed = np.ones((len(asked), len(names)), dtype=np.bool_)
    for row, only in enumerate(asked):
        if only is not None:
            allowed[row] = [name in only for name in names]
    return allowed
