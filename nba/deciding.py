"""Decision requests → logged decisions and answers: gathers what the pure decision needs, and records it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from nba.chance import NOWHERE, groups_of
from nba.contact.eligibility import Gatekeeper
from nba.decide import decide
from nba.errors import Conflict, Gone, InvalidInput
from nba.features.state import States, Touchpoints
from nba.gathering import Asked, Part, gather, zone_name
from nba.live import Live
from nba.model import Answer, ContactRow, DecisionRequest, Result
from nba.persons import whole
from nba.playbook.compile import Playbook
from nba.playbook.declaration import CONTACT
from nba.policies.served import UniformPolicy
from nba.record import Grounds, Subject, decision_rows, timestamp
from nba.requests import differing, ignored_of, same, wrong_fields
from nba.session import Session
from nba.staging import note_stages, stages_in
from nba.stores.ports import Clock, CustomerRow, DecisionRow
from nba.telling import tell
from nba.variants import Variant, Variants, assignments

HELD_SECONDS = 1_800.0
ERASED = "the customer of this decision was erased, and what it rested on with them"
_MICROSECOND = 1e-6
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Deciding:
    """Answers requests of one round, in which no two share a customer or a decision id."""

    def __init__(self, secret: bytes, clock: Clock, variants: Variants) -> None:
        self._secret = secret
        self._clock = clock
        self._variants = variants

    def answer(self, session: Session, requests: Sequence[DecisionRequest]) -> list[Result]:
        """One result a request, in order: an answer, or the error that is its alone."""
        seen = session.decisions([request.decision_id for request in requests])
        results: dict[int, Result] = {}
        for i, request in enumerate(requests):
            known = seen.get(request.decision_id)
            if known is not None:
                results[i] = _repeat(session, known, request)
            elif errors := wrong_fields(request, session.live.playbook, self._clock):
                results[i] = InvalidInput(errors)
        fresh = [i for i in range(len(requests)) if i not in results]
        customers = session.customers([requests[i].customer_id for i in fresh])
        asked: list[Asked] = []
        people = [whole(session, row) for row in customers]
        groups = groups_of(self._secret, [c.customer_id for c in people], session.live.playbook.spec.groups)
        for i, own, customer, group in zip(fresh, customers, people, groups, strict=True):
            at = _moment(requests[i], customer, session.now)
            if self._clock == "request" and at < customer.last_at:
                latest = timestamp(customer.last_at)
                results[i] = Conflict(f"at is before this customer's latest moment, {latest}")
            else:
                kin = (own.surrogate,) if own is customer else _surrogates(session.kin(own))
                asked.append(Asked(i, requests[i], customer, own, kin, group, at))
        if session.live.branching:
            asked = self._assigned(session.live, asked)
        for alike in self._alike(session, asked):
            live, gatekeeper = self._serves(session, alike)
            for one, row in zip(alike, self._decide(session, live, gatekeeper, alike), strict=True):
                results[one.place] = Answer(body=row.body, repeated=False, expired=False)
        return [results[i] for i in range(len(requests))]

    def _assigned(self, live: Live, asked: Sequence[Asked]) -> list[Asked]:
        """With where each customer stands in experiments and ramp."""
        names = [one.customer.customer_id for one in asked]
        groups, moments = [one.group for one in asked], [one.at for one in asked]
        found = assignments(self._secret, live, names, groups, moments)
        return [replace(one, assignment=where) for one, where in zip(asked, found, strict=True)]

    def _serves(self, session: Session, alike: Sequence[Asked]) -> Variant:
        return self._variants.of(session.live, alike[0].request.brought, alike[0].assignment)

    def _alike(self, session: Session, asked: Sequence[Asked]) -> Iterable[Sequence[Asked]]:
        """Requests that are decided together: those under one assignment and catalogue.

        Where they could overdraw what is left of a daily limit, only neighbours are, so that they are
        served in the order in which they came.
        """
        groups: dict[tuple[object, ...], list[Asked]] = {}
        for one in asked:
            groups.setdefault(_kind(one), []).append(one)
        if len(groups) < 2 or self._roomy(session, list(groups.values()), len(asked)):
            return groups.values()
        return [list(neighbours) for _, neighbours in groupby(asked, _kind)]

    def _roomy(self, session: Session, groups: Sequence[Sequence[Asked]], size: int) -> bool:
        """Whether so many fit into every limit that has any room, whatever they draw."""
        keys = [self._limit_keys(session, alike) for alike in groups]
        every = sorted({key for some in keys for key in some})
        if not every:
            return True
        used = session.used(every)  # all at once, so that they are locked in one order
        rooms = [
            self._serves(session, alike)[1].room(used, some) for alike, some in zip(groups, keys, strict=True)
        ]
        return all(room is None or room >= size for room in rooms)

    def _limit_keys(self, session: Session, alike: Sequence[Asked]) -> list[tuple[str, str]]:
        live, gatekeeper = self._serves(session, alike)
        zones = [zone_name(live.playbook, one.customer) for one in alike]
        return gatekeeper.limit_keys(np.array([one.at for one in alike]), zones)

    def _decide(
        self, session: Session, live: Live, gatekeeper: Gatekeeper, asked: Sequence[Asked]
    ) -> list[DecisionRow]:
        """Decide for as many together as can overdraw no daily limit, then for the next."""
        started = perf_counter()
        part = gather(session, live, gatekeeper, asked, self._secret)
        session.observer.stage("fetch", perf_counter() - started)
        keys = gatekeeper.limit_keys(part.situation.now, part.situation.zones)
        if not keys:
            return self._at_once(session, live, gatekeeper, part)
        rows: list[DecisionRow] = []
        while len(rows) < len(asked):
            rest = part.rows(len(rows), len(asked), session.used(keys))
            size = gatekeeper.together(rest.situation, keys)
            now = rest.rows(0, size, rest.situation.used) if size < len(rest.asked) else rest
            rows += self._at_once(session, live, gatekeeper, now)
        return rows

    def _at_once(self, session: Session, live: Live, gatekeeper: Gatekeeper, part: Part) -> list[DecisionRow]:
        """Decide, log and fold; nothing here may depend on the arm drawn but what is recorded of it."""
        started, asked = perf_counter(), part.asked
        decided = decide(
            gatekeeper,
            part.situation,
            part.uniforms,
            ladder=[policy for _, policy in live.ladder],
            random_policy=_uniform_policy(live.playbook),
            at_random=np.array([one.group == "random_eligible" for one in asked]),
            watching=[policy for _, policy in live.watching],
        )
        chosen = perf_counter()
        grounds = Grounds(
            decided=decided,
            situation=part.situation,
            uniforms=part.uniforms,
            live=live,
            gatekeeper=gatekeeper,
            clock=self._clock,
        )
        displaced = [_displaced(grounds, i) for i in range(len(asked))]
        book = live.playbook
        subjects = [_subject(book, *one) for one in zip(asked, part.contacts, displaced, strict=True)]
        rows = decision_rows(subjects, grounds)
        session.displace(zip(rows, displaced, strict=True))
        session.append(rows, _contact_rows(rows, grounds))
        owns = [one.own for one in asked]
        linked = any(one.own is not one.customer for one in asked)
        fold_contacts(session, rows, owns, session.states(owns) if linked else part.states)
        # noticed before the decision, since it is no outcome of it
        people, stages = [one.customer for one in asked], stages_in(live, part.situation.features)
        note_stages(session, people, owns, stages, [one.at - _MICROSECOND for one in asked])
        tell(session.observer, grounds, rows, asked=[one.request for one in asked])
        session.observer.stage("decide", chosen - started)
        session.observer.stage("record", perf_counter() - chosen)
        return rows


def _kind(asked: Asked) -> tuple[object, ...]:
    if asked.assignment is NOWHERE:  # quick to hash, and all there is without experiments and ramp
        return asked.request.brought
    return asked.assignment, asked.request.brought


def _subject(
    playbook: Playbook, asked: Asked, contacts: Sequence[ContactRow], displaces: tuple[str, ...]
) -> Subject:
    return Subject(
        request=asked.request,
        surrogate=asked.own.surrogate,
        person=asked.customer.person,
        group=asked.group,
        now=asked.at,
        state_version=asked.customer.version,
        contacts=contacts,
        ignored=ignored_of(asked.request, playbook) if asked.request.context or asked.request.brought else (),
        displaces=displaces,
    )


def _surrogates(rows: Sequence[CustomerRow]) -> tuple[str, ...]:
    return tuple(row.surrogate for row in rows)


def _displaced(grounds: Grounds, row: int) -> tuple[str, ...]:
    """The decisions that give way to the arm drawn."""
    decided = grounds.decided
    arm = int(decided.arm[row])
    if not decided.verdict.displacing[row, arm]:
        return ()
    return grounds.gatekeeper.displaced(grounds.situation, row, arm, decided.verdict)


def _moment(request: DecisionRequest, customer: CustomerRow, now: float) -> float:
    """When the decision is made: strictly after what came in with it, which is no outcome of it."""
    if request.at is not None:
        return request.at
    return now + _MICROSECOND if customer.last_at == now else now


def _contact_rows(rows: Sequence[DecisionRow], grounds: Grounds) -> Iterator[ContactRow]:
    """The ledger's entries of decisions to contact: reserved, or held until they are shown."""
    playbook = grounds.live.playbook
    for row, arm in zip(rows, grounds.decided.arm.tolist(), strict=True):
        if row.channel is None:
            continue
        action, held = playbook.spec.actions[row.action], row.status == "held"
        send_at = row.decided_at if row.send_at is None else row.send_at
        yield ContactRow(
            decision_id=row.decision_id,
            surrogate=row.surrogate,
            action=row.action,
            channel=row.channel,
            purpose=action.purpose,
            category=action.category,
            send_at=send_at,
            status="held" if held else "reserved",
            expires_at=row.decided_at + HELD_SECONDS if held else None,
            cost=float(playbook.arms.cost[arm]),
            day=grounds.gatekeeper.day_of(send_at, row.action),
        )


def fold_contacts(
    session: Session, rows: Sequence[DecisionRow], customers: Sequence[CustomerRow], states: States
) -> None:
    """Active contacts become touchpoints of their customers, at the moment they were decided or shown.

    Args:
        states: of the customers, as they are.
    """
    made = [i for i, row in enumerate(rows) if row.channel and row.status == "active"]
    if made:
        touchpoints = Touchpoints.of(
            session.live.playbook.schema,
            row=list(range(len(made))),
            type=[CONTACT] * len(made),
            channel=[rows[i].channel for i in made],
            action=[rows[i].action for i in made],
            at=[_latest_moment(rows[i]) for i in made],
            value=[1.0] * len(made),
        )
        session.fold([customers[i] for i in made], touchpoints, states.take(made))
    for row, customer in zip(rows, customers, strict=True):
        session.changed(customer, _latest_moment(row))


def _latest_moment(row: DecisionRow) -> float:
    return row.decided_at if row.activated_at is None else row.activated_at


@lru_cache(maxsize=16)
def _uniform_policy(playbook: Playbook) -> UniformPolicy:
    return UniformPolicy.of(playbook)


def _repeat(session: Session, known: DecisionRow, request: DecisionRequest) -> Result:
    if known.erased:
        return Gone(ERASED)
    if not same(known.digest, request):
        told = differing(known.digest, request.digest) if len(known.digest) == len(request.digest) else []
        fields = " and ".join(told) or "body"
        return Conflict(f"this decision_id was used with another {fields}; take a new id")
    now = session.now
    if session.clock == "request":  # there time is as far as the customer's own latest moment
        now = session.customers_of([known.surrogate])[known.surrogate].last_at
    expired = known.send_at is not None and (known.send_at < now or session.gone(known))
    return Answer(body=known.body, repeated=True, expired=expired)
