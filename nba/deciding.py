"""Decision requests → logged decisions and answers: gathers what the pure decision needs, and records it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nba.chance import group_of, uniforms
from nba.contact.caps import PURPOSES, Ledger
from nba.contact.eligibility import Situation
from nba.decide import decide
from nba.errors import Conflict, FieldError, InvalidInput, NbaError
from nba.features.rows import assemble
from nba.features.state import Touchpoints
from nba.model import Answer, ContactRow, DecisionRequest, Result
from nba.playbook.compile import Playbook
from nba.playbook.declaration import CONTACT
from nba.playbook.rules import nearest
from nba.policies.served import UniformPolicy
from nba.record import Subject, decision_row, timestamp
from nba.session import Session
from nba.stores.ports import Clock, CustomerRow, DecisionRow

HELD_SECONDS = 1_800.0
Bools = NDArray[np.bool_]


class Deciding:
    """Answers requests of one round, in which no two share a customer or a decision id."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    def answer(self, session: Session, requests: Sequence[DecisionRequest]) -> list[Result]:
        """One result a request, in order: an answer, or the error that is its alone."""
        if not requests:
            return []
        seen = session.decisions([request.decision_id for request in requests])
        results: dict[int, Result] = {}
        fresh: list[int] = []
        for i, request in enumerate(requests):
            known = seen.get(request.decision_id)
            error = self._wrong(session.live.playbook, request)
            if known is not None:
                results[i] = _repeat(known, request, session.now)
            elif error is not None:
                results[i] = error
            else:
                fresh.append(i)
        customers = session.customers([requests[i].customer_id for i in fresh])
        ready: list[tuple[int, CustomerRow]] = []
        for i, customer in zip(fresh, customers, strict=True):
            late = self._backwards(requests[i], customer)
            if late is not None:
                results[i] = late
            else:
                ready.append((i, customer))
        if ready:
            rows = self._decide(session, [requests[i] for i, _ in ready], [c for _, c in ready])
            for (i, _), row in zip(ready, rows, strict=True):
                results[i] = Answer(body=row.body, repeated=False, expired=False)
        return [results[i] for i in range(len(requests))]

    def _wrong(self, playbook: Playbook, request: DecisionRequest) -> NbaError | None:
        errors = [
            *_unknown("actions", request.actions, playbook.arms.actions),
            *_unknown("channels", request.channels, playbook.arms.channels),
            *_mistyped(playbook, request.context),
        ]
        if self._clock == "live" and request.at is not None:
            errors.append(FieldError(field="at", detail="a live server takes the time from its own clock"))
        if self._clock == "request" and request.at is None:
            errors.append(FieldError(field="at", detail="is needed: this store lives on the request clock"))
        return InvalidInput(errors) if errors else None

    def _backwards(self, request: DecisionRequest, customer: CustomerRow) -> NbaError | None:
        if request.at is None or request.at >= customer.last_at:
            return None
        return Conflict(f"at is before this customer's latest moment, {timestamp(customer.last_at)}")

    def _decide(
        self, session: Session, requests: Sequence[DecisionRequest], customers: Sequence[CustomerRow]
    ) -> list[DecisionRow]:
        live, playbook = session.live, session.live.playbook
        now = np.array([session.now if r.at is None else r.at for r in requests])
        groups = [group_of(self._secret, c.customer_id, playbook.spec.groups) for c in customers]
        zones = [zone_name(playbook, customer) for customer in customers]
        features = assemble(
            playbook,
            states=session.states(customers),
            now=now,
            zones=zones,
            attributes=[{k: v[0] for k, v in c.attributes.items()} for c in customers],
            context=[r.context for r in requests],
            scores=live.scores,
        )
        situation = Situation(
            now=now,
            zones=zones,
            features=features,
            consent=np.array([consent_of(playbook, customer) for customer in customers]),
            ledger=self._ledger(session, customers, now),
            asked_actions=_asked([r.actions for r in requests], playbook.arms.actions),
            asked_channels=_asked([r.channels for r in requests], playbook.arms.channels),
            holdout=np.array([group == "holdout" for group in groups]),
        )
        draws = uniforms(self._secret, [r.decision_id for r in requests])
        decided = decide(
            session.gatekeeper,
            situation,
            draws,
            policy=live.policy,
            random_policy=_uniform_policy(playbook),
            at_random=np.array([group == "random_eligible" for group in groups]),
        )
        rows = [
            decision_row(
                Subject(
                    request=request,
                    surrogate=customer.surrogate,
                    group=group,
                    now=float(now[i]),
                    state_version=customer.version,
                    uniform=float(draws[i]),
                    retry_at=session.gatekeeper.retry_at(situation, i, decided.verdict),
                ),
                decided,
                i,
                features,
                live,
                session.gatekeeper,
            )
            for i, (request, customer, group) in enumerate(zip(requests, customers, groups, strict=True))
        ]
        session.append(rows, [contact_row(row, playbook) for row in rows if row.channel is not None])
        fold_contacts(session, rows, customers)
        return rows

    def _ledger(self, session: Session, customers: Sequence[CustomerRow], now: NDArray[np.float64]) -> Ledger:
        horizon = reach(session.live.playbook)
        surrogates = [customer.surrogate for customer in customers]
        contacts = session.contacts(surrogates, float(now.min()) - horizon) if horizon else [[]] * len(now)
        counting = [
            [c for c in rows if c.expires_at is None or c.expires_at > moment]
            for rows, moment in zip(contacts, now.tolist(), strict=True)
        ]
        return Ledger.of(session.live.playbook, counting)


def contact_row(row: DecisionRow, playbook: Playbook) -> ContactRow:
    """The ledger's entry of a decision to contact: reserved, or held until it is shown."""
    held = row.status == "held"
    return ContactRow(
        decision_id=row.decision_id,
        surrogate=row.surrogate,
        action=row.action,
        channel=str(row.channel),
        purpose=playbook.spec.actions[row.action].purpose,
        send_at=float(row.send_at or row.decided_at),
        status="held" if held else "reserved",
        expires_at=row.decided_at + HELD_SECONDS if held else None,
    )


def fold_contacts(session: Session, rows: Sequence[DecisionRow], customers: Sequence[CustomerRow]) -> None:
    """Active contacts become touchpoints of their customers, at the moment they were decided."""
    made = [(r, c) for r, c in zip(rows, customers, strict=True) if r.channel and r.status == "active"]
    if made:
        touchpoints = Touchpoints.of(
            session.live.playbook.schema,
            row=list(range(len(made))),
            type=[CONTACT] * len(made),
            channel=[row.channel for row, _ in made],
            action=[row.action for row, _ in made],
            at=[row.activated_at or row.decided_at for row, _ in made],
            value=[1.0] * len(made),
        )
        session.fold([customer for _, customer in made], touchpoints)
    for row, customer in zip(rows, customers, strict=True):
        session.changed(customer, row.decided_at)


@lru_cache(maxsize=16)
def _uniform_policy(playbook: Playbook) -> UniformPolicy:
    return UniformPolicy.of(playbook)


def reach(playbook: Playbook) -> float:
    """How many seconds back a contact can matter to a cap or a cooldown."""
    cooldowns = [a.cooldown for a in playbook.spec.actions.values() if a.cooldown is not None]
    return max([*(cap.within for cap in playbook.spec.contact.caps), *cooldowns], default=0.0)


def zone_name(playbook: Playbook, customer: CustomerRow) -> str:
    """The customer's time zone, or the playbook's where none is known."""
    known = customer.attributes.get("timezone")
    return str(known[0]) if known else playbook.spec.timezone


def consent_of(playbook: Playbook, customer: CustomerRow) -> Bools:
    """(purposes, channels): where consent is known and granted; the latest word wins, for one or for all."""
    granted = np.zeros((len(PURPOSES), len(playbook.arms.channels)), dtype=np.bool_)
    for i, purpose in enumerate(PURPOSES):
        for j, channel in enumerate(playbook.arms.channels):
            words = [customer.consents.get(f"{purpose}|{c}") for c in (channel, "*")]
            known = [word for word in words if word is not None]
            # Of two words at one moment the refusal counts.
            granted[i, j] = bool(known) and bool(max(known, key=lambda w: (w[1], not w[0]))[0])
    return granted


def _repeat(known: DecisionRow, request: DecisionRequest, now: float) -> Result:
    if known.digest != request.digest:
        return Conflict("this decision_id was used with another request; take a new one")
    expired = known.send_at is not None and request.at is None and known.send_at < now
    return Answer(body=known.body, repeated=True, expired=expired)


def _asked(asked: Sequence[tuple[str, ...] | None], names: tuple[str, ...]) -> Bools:
    return np.array([[a is None or name in a for name in names] for a in asked])


def _unknown(field: str, asked: tuple[str, ...] | None, names: tuple[str, ...]) -> list[FieldError]:
    known = set(names)
    return [
        FieldError(
            field=f"{field}[{i}]", detail=f"the playbook has no such {field[:-1]}{nearest(name, names)}"
        )
        for i, name in enumerate(asked or ())
        if name not in known
    ]


_KINDS: Mapping[str, tuple[type, ...]] = {"number": (int, float), "boolean": (bool,), "category": (str,)}


def _mistyped(playbook: Playbook, context: Mapping[str, object]) -> list[FieldError]:
    errors = []
    for feature in playbook.schema.features:
        value = context.get(feature.name) if feature.group == "context" else None
        if value is None:
            continue
        wrong_bool = isinstance(value, bool) and feature.kind != "boolean"
        if wrong_bool or not isinstance(value, _KINDS[feature.kind]):
            kind = "text" if feature.kind == "category" else f"a {feature.kind}"
            errors.append(FieldError(field=f"context.{feature.name}", detail=f"must be {kind}"))
    return errors
