"""The contact rules once more, slow and plain, written from their texts: one customer, one arm at a time.

Nothing of `nba.contact` is used here, so that both can't be wrong in the same way. Parts of the day, quiet
hours and changes of the clocks fall on whole minutes, so looking at every minute finds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import product
from math import floor
from zoneinfo import ZoneInfo

from nba.model import ContactRow, Used
from nba.playbook.compile import Playbook
from nba.playbook.schema import Action, Cap, PlaybookSpec
from tests.contact.random_business import DAY, WHEN, stop_may_hold

MINUTES_AHEAD = 3 * 1_440


@dataclass(frozen=True, kw_only=True)
class Person:
    """A customer at a moment; `consents` are (purpose, channel)."""

    now: float
    zone: str
    age: float
    days_since_visit: float
    consents: frozenset[tuple[str, str]]
    contacts: tuple[ContactRow, ...] = ()
    actions: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    holdout: bool = False
    used: Mapping[tuple[str, str], Used] = field(default_factory=dict)

    @cached_property
    def minutes(self) -> list[tuple[float, int]]:
        """Now and every whole minute of the next days, with the minute of the customer's own day."""
        first = floor(self.now / 60) + 1
        moments = [self.now, *(60.0 * (first + i) for i in range(MINUTES_AHEAD))]
        locals_ = ((at, datetime.fromtimestamp(floor(at), ZoneInfo(self.zone))) for at in moments)
        return [(at, local.hour * 60 + local.minute) for at, local in locals_]


@dataclass(frozen=True)
class Finding:
    """`reason` is empty where the arm is eligible; `gone` are the decisions that give way, in any order."""

    reason: str
    send_at: float | None
    gone: frozenset[str] = frozenset()


def judge(playbook: Playbook, person: Person) -> dict[str, Finding]:
    """Every arm but no contact."""
    found = {}
    for name, action in playbook.spec.actions.items():
        for channel, timing in product(action.channels, action.timings):
            send_at = send_moment(playbook.spec, person, timing)
            reasons = _reasons(playbook.spec, person, name, channel, send_at)
            gone: frozenset[str] = frozenset()
            reason = next(reasons, "")
            if not reason and send_at is not None:
                reason, gone = _capped(playbook.spec, person, action, channel, send_at)
                if not reason and _over_limit(playbook.spec, person, name, channel, send_at):
                    reason, gone = f"actions.{name}.daily", frozenset()
            found[f"{name}/{channel}/{timing}"] = Finding(reason, send_at, gone)
    return found


def send_moment(spec: PlaybookSpec, person: Person, timing: str) -> float | None:
    part = spec.timings[timing]
    if part.start is None or part.end is None:
        return None if _quiet(spec, person.minutes[0][1]) else person.now
    for at, minute in person.minutes:
        if part.start <= minute * 60 < part.end and not _quiet(spec, minute):
            return at
    return None


def _quiet(spec: PlaybookSpec, minute: int) -> bool:
    hours = spec.contact.quiet_hours
    if hours is None:
        return False
    if hours.start < hours.end:
        return hours.start <= minute * 60 < hours.end
    return minute * 60 >= hours.start or minute * 60 < hours.end


def _reasons(
    spec: PlaybookSpec, person: Person, name: str, channel: str, send_at: float | None
) -> Iterator[str]:
    """Whatever refuses before the caps, in the order in which the rules are asked."""
    action = spec.actions[name]
    if person.holdout:
        yield "groups.holdout"
    if name not in person.actions:
        yield "request.actions"
    if channel not in person.channels:
        yield "request.channels"
    if spec.channels[channel].consent and (action.purpose, channel) not in person.consents:
        yield "consent"
    if send_at is not None and action.valid_from and send_at < action.valid_from.timestamp():
        yield f"actions.{name}.valid_from"
    if send_at is not None and action.valid_until and send_at >= action.valid_until.timestamp():
        yield f"actions.{name}.valid_until"
    if not WHEN[action.when](person.age, person.days_since_visit):
        yield f"actions.{name}.when"
    if any(person.days_since_visit < seconds / DAY for seconds in action.stop_after.values()):
        yield f"actions.{name}.stop_after"
    if send_at is not None and action.cooldown is not None:
        same = [c.send_at for c in person.contacts if c.action == name]
        if any(abs(at - send_at) < action.cooldown for at in same):
            yield f"actions.{name}.cooldown"
    if send_at is None:
        yield "contact.quiet_hours"
    for stop in spec.contact.stops:
        if action.purpose in stop.purposes and stop_may_hold(person.age):
            yield f"contact.stops.{stop.name}"


def _capped(
    spec: PlaybookSpec, person: Person, action: Action, channel: str, send_at: float
) -> tuple[str, frozenset[str]]:
    """The first cap that refuses, or the contacts that give way, the least valuable that will do.

    Of all sets of contacts that may go, those are looked at after which no cap is broken; the one is taken
    in which the most valuable contact stays if it can, then the next.
    """
    new = ContactRow(
        decision_id="new",
        surrogate="s",
        action="",
        channel=channel,
        purpose=action.purpose,
        category=action.category,
        send_at=send_at,
        status="reserved",
    )
    concerned = {i: cap for i, cap in enumerate(spec.contact.caps) if _counts(cap, new)}
    broken = {i: cap for i, cap in concerned.items() if breaks(cap, person.contacts, new, person.zone)}
    may_go = [
        c
        for c in person.contacts
        if c.status == "reserved" and c.send_at > person.now and _priority(spec, c.action) < action.priority
    ]
    for i, cap in broken.items():
        if breaks(cap, [c for c in person.contacts if c not in may_go], new, person.zone):
            return f"contact.caps[{i}]", frozenset()
    # The most valuable first: high priority, soon to be sent, and of equal ones the greater id.
    may_go.sort(key=lambda c: c.decision_id, reverse=True)
    may_go.sort(key=lambda c: (-_priority(spec, c.action), c.send_at))
    for goes in sorted(product([False, True], repeat=len(may_go))):
        gone = [c for c, yes in zip(may_go, goes, strict=True) if yes]
        left = [c for c in person.contacts if c not in gone]
        if not any(breaks(cap, left, new, person.zone) for cap in broken.values()):
            return "", frozenset(c.decision_id for c in gone)
    raise AssertionError("with all that may go gone, a cap was not broken a moment ago")


def _priority(spec: PlaybookSpec, action: str) -> int:
    return spec.actions[action].priority if action in spec.actions else 0


def _counts(cap: Cap, contact: ContactRow) -> bool:
    return (
        contact.purpose in cap.purposes
        and cap.channel in (None, contact.channel)
        and cap.category in (None, contact.category)
    )


def breaks(cap: Cap, contacts: list[ContactRow] | tuple[ContactRow, ...], new: ContactRow, zone: str) -> bool:
    """Whether `new` beside `contacts` is more than a cap allows in some window or period that holds it."""
    times = [c.send_at for c in contacts if _counts(cap, c)]
    if cap.per is not None:
        own = period(cap.per, new.send_at, zone)
        return sum(period(cap.per, at, zone) == own for at in times) + 1 > cap.max
    assert cap.within is not None
    starts = [at for at in [*times, new.send_at] if at <= new.send_at < at + cap.within]
    return any(
        sum(start <= at < start + cap.within for at in [*times, new.send_at]) > cap.max for start in starts
    )


def period(per: str, at: float, zone: str) -> date:
    """The first date of the local day, week or month."""
    today = datetime.fromtimestamp(floor(at), ZoneInfo(zone)).date()
    if per == "week":
        return today - timedelta(days=today.weekday())
    return today.replace(day=1) if per == "month" else today


def _over_limit(spec: PlaybookSpec, person: Person, name: str, channel: str, send_at: float) -> bool:
    action = spec.actions[name]
    if action.daily is None:
        return False
    day = period("day", send_at, spec.timezone).isoformat()
    used = person.used.get((name, day), Used())
    cost = action.cost + spec.channels[channel].cost
    too_many = action.daily.contacts is not None and used.contacts + 1 > action.daily.contacts
    too_dear = action.daily.spend is not None and used.spend + cost > action.daily.spend * (1 + 1e-9)
    return too_many or too_dear
