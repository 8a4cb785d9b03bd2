"""How well the loop is closed: time to settle a ticket, the share in time, detractors who were won back.

    in time     settled by the due time, of those of which that is known: settled, or past it and still open
    time        the product-limit estimate over all tickets, Kaplan & Meier (1958): one that is still open
                has taken at least so long. Leaving the open ones out would leave out the slow ones.
    won back    of the persons whose nps answer opened a ticket and who answered again after it opened,
                those whose next answer is above what the playbook calls unhappy

Shares have Wilson's interval (1927) at 95 %. Pure functions over rows; knows no store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from nba.playbook.feedback import Scale
from nba.tickets import TicketRow

_Z = 1.959963984540054


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """`part` of `whole`, with its interval; `value`, `low` and `high` are None where `whole` is 0."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        return self.part / self.whole if self.whole else None

    @property
    def low(self) -> float | None:
        return self._bound(-1) if self.whole else None

    @property
    def high(self) -> float | None:
        return self._bound(1) if self.whole else None

    def _bound(self, side: int) -> float:
        n, p = self.whole, self.part / self.whole
        middle = p + _Z**2 / (2 * n)
        spread = _Z * sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
        return min(1.0, max(0.0, (middle + side * spread) / (1 + _Z**2 / n)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of the tickets of one rule, or of all.

    Attributes:
        overdue: open or in progress, and past their time.
        median, slowest: seconds in which half, and nine in ten, are settled; None where so many are not yet.
    """

    tickets: int
    unsettled: int
    overdue: int
    in_time: Share
    median: float | None
    slowest: float | None


def figures(tickets: Sequence[TicketRow], now: float) -> Figures:
    """What these tickets have come to by `now`, epoch seconds; none of them opened later."""
    known = [t for t in tickets if not t.unsettled or t.due_at < now]
    unsettled = [t for t in tickets if t.unsettled]
    return Figures(
        tickets=len(tickets),
        unsettled=len(unsettled),
        overdue=sum(t.due_at < now for t in unsettled),
        in_time=Share(part=sum(bool(t.in_time) for t in known), whole=len(known)),
        median=settled_within(tickets, now, 0.5),
        slowest=settled_within(tickets, now, 0.9),
    )


def settled_within(tickets: Sequence[TicketRow], now: float, share: float) -> float | None:
    """Seconds in which this share is settled, by the product-limit estimate; None where it is not reached."""
    lasted = [
        (t.closed_at - t.opened_at, True) if t.closed_at is not None else (now - t.opened_at, False)
        for t in tickets
    ]
    left, at_risk = 1.0, len(lasted)
    for length in sorted({length for length, _ in lasted}):
        same = [settled for other, settled in lasted if other == length]
        left *= 1 - sum(same) / at_risk
        if left <= 1 - share + 1e-12:
            return max(0.0, length)
        at_risk -= len(same)
    return None


def by_rule(tickets: Iterable[TicketRow], now: float) -> Mapping[str, Figures]:
    """Rule → its figures, in the order of the names; "" is by hand."""
    groups: dict[str, list[TicketRow]] = {}
    for ticket in tickets:
        groups.setdefault(ticket.rule, []).append(ticket)
    return {rule: figures(groups[rule], now) for rule in sorted(groups)}


def won_back(
    tickets: Iterable[TicketRow],
    answers: Iterable[tuple[str, float, float]],
    scale: Scale,
    people: Mapping[str, str],
) -> Share:
    """Detractors who answered again, and those of them who are none any more.

    Args:
        answers: (surrogate of the person, epoch seconds, score) of nps answers, in any order.
        scale: who answers at most its `unhappy` is a detractor.
        people: surrogate → person, of who is linked; tickets stand under the customer's own.
    """
    opened: dict[str, float] = {}
    for ticket in tickets:
        if ticket.event_type == "nps":
            who = people.get(ticket.surrogate, ticket.surrogate)
            opened[who] = min(ticket.opened_at, opened.get(who, ticket.opened_at))
    again: dict[str, tuple[float, float]] = {}
    for surrogate, at, score in answers:
        if surrogate in opened and at > opened[surrogate]:
            again[surrogate] = min((at, score), again.get(surrogate, (at, score)))
    return Share(part=sum(score > scale.unhappy for _, score in again.values()), whole=len(again))
