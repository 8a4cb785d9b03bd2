"""What is remembered of a customer between looks: which conditions held, what has gone off and when.

Kept as JSON in the row of `watches`; the customer is locked while it is read and written. Of linked customers
each has a row, and what is remembered of the person is all of them together: of a condition that held for one
it is remembered that it held. So nothing goes off again because of a link, nor because it is undone. One of
them, by whom the person goes, has the moment of the next look; the others are not looked at by themselves.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import inf

import orjson

from nba.session import Session
from nba.stores.ports import CustomerRow, WatchRow


@dataclass(slots=True, kw_only=True)
class Memory:
    """Changed in place; `keep` has it written.

    Attributes:
        surrogates: of the person's customers; the first has the moment of the next look.
        due_at: when the customer is to be looked at again, epoch seconds.
        held: by key of a condition, whether it counts as true.
        times: by key of a condition, how often it has become true.
        fired: trigger → when it last went off.
        absent: trigger → the last touchpoint whose absence was told, epoch seconds.
        scores: ticket rule → the score when it was last looked at.
    """

    surrogates: tuple[str, ...]
    due_at: float = inf
    held: dict[str, bool] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    fired: dict[str, float] = field(default_factory=dict)
    absent: dict[str, float] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, session: Session, customer: CustomerRow) -> Memory:
        """As it is now, of a locked customer's person; empty for one who was never looked at."""
        first = named(session, customer).surrogate
        surrogates = [first, *(one.surrogate for one in session.kin(customer) if one.surrogate != first)]
        known = session.watches(surrogates)
        whole = cls(surrogates=tuple(surrogates))
        for row in known.values():
            whole._add(cls(surrogates=(), due_at=row.due_at, **orjson.loads(row.memory)))
        return whole

    def _add(self, other: Memory) -> None:
        """What is remembered of one more of the person's customers."""
        self.due_at = min(self.due_at, other.due_at)
        for key, held in other.held.items():
            self.held[key] = held or self.held.get(key, False)
        for key, times in other.times.items():
            self.times[key] = max(times, self.times.get(key, 0))
        for ours, theirs in ((self.fired, other.fired), (self.absent, other.absent)):
            for key, at in theirs.items():
                ours[key] = max(at, ours.get(key, -inf))
        self.scores = {**other.scores, **self.scores}  # the person goes by the first

    def keep(self, session: Session) -> None:
        """Have it written with the rest of the batch."""
        values = asdict(self)
        surrogates, due_at = values.pop("surrogates"), values.pop("due_at")
        told = orjson.dumps({name: value for name, value in values.items() if value}).decode()
        for surrogate in surrogates:
            session.watch(WatchRow(surrogate=surrogate, due_at=due_at, memory=told))
            due_at = inf


def named(session: Session, customer: CustomerRow) -> CustomerRow:
    """By whom the person of a locked customer goes."""
    kin = session.kin(customer)
    return next((one for one in kin if one.surrogate == customer.person), kin[0])
