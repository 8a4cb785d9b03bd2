"""Looks at customers: which conditions have become true, what is absent, which score has jumped.

Not everybody all the time: each customer has a moment at which they are to be looked at again. An event
brings it forward where a condition may have changed; a look sets the next one.

    condition   false → true sets it off (an edge, not a level); `until` makes it ready again
    absence     last touchpoint + length has passed, for each last touchpoint once
    jump        score − score at the last look ≥ by
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf

import numpy as np
import orjson
from numpy.typing import NDArray

from nba.memory import Memory, named
from nba.model import Look, Looked
from nba.playbook.compile import Playbook
from nba.playbook.reactions import Absence, TicketRule
from nba.playbook.scalars import DAY
from nba.session import Session
from nba.stores.ports import CustomerRow, Store
from nba.ticketing import moment, open_for_jump
from nba.triggering import fire, seen

Floats = NDArray[np.float64]
SINCE = "trigger.since"
LATE = 7 * DAY
"""An absence that was over for longer than this when it is first looked at is noted and sets nothing off:
else a new trigger would go off for everybody who left in years gone by."""
_SECOND = 1.0  # times of touchpoints come back from features with less than this lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What of a playbook is found by looking.

    Attributes:
        conditions: key → trigger; a changed rule has another key, and begins anew.
        every: seconds from look to look for what can change by time alone; inf for nothing.
    """

    conditions: Mapping[str, str]
    absences: Mapping[str, Absence]
    jumps: Sequence[TicketRule]
    every: float

    @property
    def anything(self) -> bool:
        return bool(self.conditions or self.absences or self.jumps)

    @property
    def by_events(self) -> bool:
        """Whether an event is a reason to look at once."""
        return bool(self.conditions or self.jumps)


@lru_cache(maxsize=16)
def watched(playbook: Playbook) -> Watched:
    """What of this playbook is found by looking."""
    spec = playbook.spec
    conditions = {
        _key(name, trigger.condition): name for name, trigger in spec.triggers.items() if trigger.condition
    }
    jumps = tuple(rule for rule in spec.tickets.rules if rule.jump is not None)
    every = [spec.triggers[name].every for name in conditions.values()]
    return Watched(
        conditions=conditions,
        absences={name: t.absence for name, t in spec.triggers.items() if t.absence is not None},
        jumps=jumps,
        every=min([*every, *([spec.tickets.every] if jumps else [])], default=inf),
    )


def watched_since(store: Store, playbook: Playbook, at: Callable[[], float]) -> dict[str, float]:
    """From when on each condition of a playbook is watched, by key: from when it is first in use.

    Args:
        at: now on the store's clock; asked where a condition is new.
    """
    known: dict[str, float] = orjson.loads(store.kept(SINCE) or b"{}")
    keys = watched(playbook).conditions
    if any(key not in known for key in keys):
        now = at()
        known = {key: known.get(key, now) for key in keys}
        store.keep(SINCE, orjson.dumps(known))
    return known


def after_all(store: Store) -> float:
    """A moment after all that a simulation store knows, and before what comes next."""
    return max(0.0, store.latest() + 2 * _SECOND)


def call(session: Session, customers: Sequence[CustomerRow]) -> None:
    """Something has happened to these customers: bring forward when they are looked at, where that helps."""
    what = watched(session.live.playbook)
    if not what.anything:
        return
    shortest = min((absence.length for absence in what.absences.values()), default=inf)
    _remember(session, customers)
    for customer in customers:
        memory = Memory.of(session, customer)
        at = moment(session, customer)
        due = at if what.by_events else at + shortest
        if due < memory.due_at:
            memory.due_at = due
            memory.keep(session)


def look(session: Session, commands: Sequence[Look]) -> list[Looked]:
    """Look at these customers, of whom none stands twice; one result a command."""
    what = watched(session.live.playbook)
    session.extra.update(command.customer_id for command in commands)  # locked, and not made where erased
    rows = [session.customer(command.customer_id) for command in commands]
    known = {i: named(session, row) for i, row in enumerate(rows) if row is not None}
    at = {i: _moment(session, commands[i], customer) for i, customer in known.items()}
    _remember(session, list(known.values()))
    features = dict(zip(known, seen(session, list(known.values()), list(at.values())), strict=True))
    looks = {
        i: _Looking(session, what, customer, features[i][np.newaxis], at[i], commands[i].since)
        for i, customer in known.items()
    }
    return [looks[i].done() if i in looks else Looked(fired=0) for i in range(len(commands))]


def recall(session: Session, customers: Sequence[CustomerRow]) -> None:
    """These locked customers are no longer the person they were: each is to be looked at anew."""
    if not watched(session.live.playbook).anything:
        return
    for customer in customers:
        memory = Memory.of(session, customer)
        memory.due_at = min(memory.due_at, moment(session, customer))
        memory.keep(session)


def _remember(session: Session, customers: Sequence[CustomerRow]) -> None:
    """Read what is remembered of all of them at once."""
    session.watches([one.surrogate for customer in customers for one in session.kin(customer)])


def _moment(session: Session, command: Look, customer: CustomerRow) -> float:
    if command.at is None:
        return session.now
    return max(command.at, moment(session, customer))


class _Looking:
    """One look at one customer."""

    def __init__(
        self,
        session: Session,
        what: Watched,
        customer: CustomerRow,
        features: Floats,
        at: float,
        since: Mapping[str, float],
    ) -> None:
        self._session = session
        self._what = what
        self._customer = customer
        self._features = features
        self._at = at
        self._since = since
        self._memory = Memory.of(session, customer)
        self._fired = 0

    def done(self) -> Looked:
        """All of it."""
        for rule in self._what.jumps:
            self._jump(rule)
        for key, name in self._what.conditions.items():
            self._condition(key, name)
        due = [self._absence(name, absence) for name, absence in self._what.absences.items()]
        self._memory.due_at = min([*due, self._at + self._what.every])
        self._forget()
        self._memory.keep(self._session)
        return Looked(fired=self._fired)

    def _feature(self, name: str) -> float:
        return float(self._features[0, self._session.live.playbook.schema.index[name]])

    def _condition(self, key: str, name: str) -> None:
        book, memory = self._session.live.playbook, self._memory
        holds = bool(book.trigger_rules[name].holds(self._features)[0])
        until = book.until_rules.get(name)
        before = memory.held.get(key)
        if before is None:  # what was true before anybody watched is a level, not an edge
            before = holds and not self._came_after(self._since.get(key, inf))
        if holds and not before:
            memory.times[key] = memory.times.get(key, 0) + 1
            self._fire(name, f"{key} {memory.times[key]}")
        over = until is None or bool(until.holds(self._features)[0])
        self._memory.held[key] = holds or (before and not over)

    def _came_after(self, moment: float) -> bool:
        """Whether the customer was first heard of after this: of them nothing was true before."""
        days = self._feature("tenure_days")
        return bool(np.isfinite(days)) and self._at - days * DAY >= moment - _SECOND

    def _absence(self, name: str, absence: Absence) -> float:
        """When it is due; inf where nothing is missed, or where it was told."""
        days = self._feature(f"days_since_{absence.of}")
        if not np.isfinite(days):
            return inf
        last = self._at - days * DAY
        due, told = last + absence.length, self._memory.absent.get(name)
        if due > self._at + _SECOND:
            return due
        if told is None or last > told + _SECOND:
            self._memory.absent[name] = last
            if self._at - due <= LATE:
                self._fire(name, f"{last:.0f}")
        return inf

    def _jump(self, rule: TicketRule) -> None:
        if rule.jump is None:
            return
        score, last = self._feature(rule.jump.score), self._memory.scores.get(rule.name)
        if not np.isfinite(score):
            return
        self._memory.scores[rule.name] = score
        if last is not None and score - last >= rule.jump.by:
            self._fired += 1
            open_for_jump(self._session, self._customer, rule, (last, score))

    def _fire(self, name: str, occasion: str) -> None:
        """Under what is remembered here: cooldowns are kept in the same memory."""
        self._memory.keep(self._session)
        if fire(self._session, name, self._customer, occasion=occasion, at=self._at):
            self._fired += 1
        self._memory = Memory.of(self._session, self._customer)

    def _forget(self) -> None:
        """Whether conditions held that the playbook no longer has. How often they went off stays: should they
        come back, as with a change that is undone, the next time must not pass for an earlier one."""
        for key in self._memory.held.keys() - self._what.conditions.keys():
            del self._memory.held[key]


def _key(name: str, rule: str) -> str:
    return f"{name}:{hashlib.sha256(rule.encode()).hexdigest()[:8]}"
