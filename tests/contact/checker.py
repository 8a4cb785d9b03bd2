"""What is wrong with a sequence of contacts, by the playbook's text. Asks nothing of `nba.contact`.

Each contact is looked at by itself, then beside the customer's others that stood when it was made, then
beside all customers' on its day.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from math import floor
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from nba.playbook.schema import Action, Cap
from tests.contact.crowd import NEVER, PURPOSES, Crowd
from tests.contact.random_business import DAY, WHEN, stop_may_hold

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def violations(crowd: Crowd) -> Counter[str]:
    """Rule → how many contacts break it."""
    found: Counter[str] = Counter()
    for customer, round_ in np.argwhere(crowd.arm > 0).tolist():
        found.update(_alone(crowd, customer, round_))
    found.update(_cooldowns(crowd))
    for place, cap in enumerate(crowd.playbook.spec.contact.caps):
        found[f"caps[{place}]"] += int(_overfull(crowd, cap).sum())
    found.update(_limits(crowd))
    for customer, round_ in np.argwhere(crowd.gone != NEVER).tolist():
        found.update(_displaced(crowd, customer, round_))
    return +found


def _action(crowd: Crowd, customer: int, round_: int) -> Action:
    arms = crowd.playbook.arms
    return crowd.playbook.spec.actions[arms.actions[arms.action[crowd.arm[customer, round_]]]]


def _alone(crowd: Crowd, customer: int, round_: int) -> Iterator[str]:
    spec, arms, arm = crowd.playbook.spec, crowd.playbook.arms, crowd.arm[customer, round_]
    action = _action(crowd, customer, round_)
    send_at, decided = float(crowd.send_at[customer, round_]), float(crowd.decided[customer, round_])
    channel, age = int(arms.channel[arm]), float(crowd.age[customer])
    visit = (decided - float(crowd.visited[customer, round_])) / DAY
    if crowd.holdout[customer]:
        yield "holdout"
    needs = spec.channels[arms.channels[channel]].consent
    if needs and not crowd.consent[customer, PURPOSES.index(action.purpose), channel]:
        yield "consent"
    if action.valid_from is not None and not send_at >= action.valid_from.timestamp():
        yield "valid_from"
    if action.valid_until is not None and not send_at < action.valid_until.timestamp():
        yield "valid_until"
    if not WHEN[action.when](age, visit):
        yield "when"
    if any(visit < seconds / DAY for seconds in action.stop_after.values()):
        yield "stop_after"
    if any(action.purpose in stop.purposes and stop_may_hold(age) for stop in spec.contact.stops):
        yield "stops"
    yield from _moment(crowd, customer, arms.timings[arms.timing[arm]], decided, send_at)


def _moment(crowd: Crowd, customer: int, timing: str, decided: float, send_at: float) -> Iterator[str]:
    spec = crowd.playbook.spec
    if not send_at >= decided:
        yield "timing"
        return
    second, _ = _local(floor(send_at), crowd.zones[customer])
    part, quiet = spec.timings[timing], spec.contact.quiet_hours
    if part.start is None or part.end is None:
        if send_at != decided:
            yield "timing"
    elif not part.start <= second < part.end:
        yield "timing"
    if quiet is not None and (
        quiet.start <= second < quiet.end
        if quiet.start < quiet.end
        else second >= quiet.start or second < quiet.end
    ):
        yield "quiet_hours"


@lru_cache(maxsize=100_000)
def _local(second: int, zone: str) -> tuple[int, date]:
    """The second of the local day, and its date."""
    local = datetime.fromtimestamp(second, ZoneInfo(zone))
    return local.hour * 3_600 + local.minute * 60 + local.second, local.date()


def _standing(crowd: Crowd, round_: int) -> Bools:
    """(n, R) the contacts that stood once this round was over."""
    there = (crowd.arm > 0) & (crowd.gone > round_)
    there[:, round_ + 1 :] = False
    return there


def _cooldowns(crowd: Crowd) -> Iterator[str]:
    arms = crowd.playbook.arms
    action = np.where(crowd.arm > 0, arms.action[crowd.arm], -1)
    for place, one in enumerate(crowd.playbook.spec.actions.values()):
        for round_ in range(crowd.arm.shape[1] if one.cooldown is not None else 0):
            times = np.where(_standing(crowd, round_) & (action == place), crowd.send_at, np.nan)
            gaps = np.diff(np.sort(times, axis=1), axis=1)
            yield from ["cooldown"] * int((gaps < one.cooldown).sum())


def counted(crowd: Crowd, cap: Cap) -> Bools:
    """(n, R) the contacts that a cap counts."""
    arms, actions = crowd.playbook.arms, list(crowd.playbook.spec.actions.values())
    channel = [cap.channel in (None, name) for name in arms.channels]
    action = [a.purpose in cap.purposes and cap.category in (None, a.category) for a in actions]
    arm = crowd.arm
    return (arm > 0) & np.array(channel)[arms.channel[arm]] & np.array(action)[arms.action[arm]]


def _overfull(crowd: Crowd, cap: Cap) -> Ints:
    """(R,) after each round, how many windows or periods hold more than the cap allows."""
    counts = counted(crowd, cap)
    periods = _periods(crowd, cap) if cap.per is not None else np.empty(0)
    overfull = []
    for round_ in range(crowd.arm.shape[1]):
        stand = counts & _standing(crowd, round_)
        if cap.within is None:
            held = np.sort(np.where(stand, periods, np.nan), axis=1)
            overfull.append(np.count_nonzero(held[:, cap.max :] == held[:, : held.shape[1] - cap.max]))
        else:
            times = np.sort(np.where(stand, crowd.send_at, np.nan), axis=1)
            first, last = times[:, : times.shape[1] - cap.max], times[:, cap.max :]
            overfull.append(np.count_nonzero(last < first + cap.within))
    return np.array(overfull)


def _periods(crowd: Crowd, cap: Cap) -> NDArray[np.float64]:
    """(n, R) a number for the local day, week or month of each contact; NaN for none."""
    periods = np.full(crowd.arm.shape, np.nan)
    for customer, round_ in np.argwhere(crowd.arm > 0).tolist():
        today = _local(floor(crowd.send_at[customer, round_]), crowd.zones[customer])[1]
        year, week, _ = today.isocalendar()
        number = {"day": today.toordinal(), "week": year * 60 + week, "month": today.year * 12 + today.month}
        periods[customer, round_] = number[cap.per or "day"]
    return periods


def _limits(crowd: Crowd) -> Iterator[str]:
    """In the order of the decisions: what is used up on a day, given back when it gives way."""
    spec, arms = crowd.playbook.spec, crowd.playbook.arms
    used: dict[tuple[str, date], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for round_ in range(crowd.arm.shape[1]):
        for customer, arm in enumerate(crowd.arm[:, round_].tolist()):
            gone = np.flatnonzero(crowd.gone[customer] == round_).tolist()
            changes = [(before, -1) for before in gone] + ([(round_, 1)] if arm else [])
            for changed, sign in changes:
                name = arms.actions[arms.action[crowd.arm[customer, changed]]]
                daily = spec.actions[name].daily
                if daily is None:
                    continue
                day = _local(floor(crowd.send_at[customer, changed]), spec.timezone)[1]
                total = used[name, day]
                total[0] += sign
                total[1] += sign * arms.cost[crowd.arm[customer, changed]]
                if sign > 0 and daily.contacts is not None and total[0] > daily.contacts:
                    yield "daily.contacts"
                if sign > 0 and daily.spend is not None and total[1] > daily.spend * (1 + 1e-8):
                    yield "daily.spend"


def _displaced(crowd: Crowd, customer: int, earlier: int) -> Iterator[str]:
    """A contact that gave way was less valuable, not yet sent, and one too many beside what displaced it."""
    round_ = int(crowd.gone[customer, earlier])
    if crowd.held[customer, earlier]:
        yield "displaced a held contact"
    if not crowd.send_at[customer, earlier] > crowd.decided[customer, round_]:
        yield "displaced what was sent"
    if not _action(crowd, customer, earlier).priority < _action(crowd, customer, round_).priority:
        yield "displaced its equal"
    if not any(_one_too_many(crowd, cap, customer, earlier) for cap in crowd.playbook.spec.contact.caps):
        yield "displaced without need"


def _one_too_many(crowd: Crowd, cap: Cap, customer: int, earlier: int) -> bool:
    """Whether a cap would be broken with the contact that gave way beside those that stood then."""
    round_ = int(crowd.gone[customer, earlier])
    one = _only(crowd, customer)
    stood = _standing(one, round_)[0]
    stood[earlier] = True
    stood &= counted(one, cap)[0]
    if not (stood[earlier] and stood[round_]):
        return False
    if cap.per is not None:
        own = _periods(one, cap)[0]
        return int(np.count_nonzero(own[stood] == own[round_])) > cap.max
    times = np.sort(one.send_at[0, stood])
    full = times[cap.max :] < times[: len(times) - cap.max] + (cap.within or 0.0)
    return bool(full.any())


def _only(crowd: Crowd, customer: int) -> Crowd:
    rows = slice(customer, customer + 1)
    return replace(
        crowd,
        zones=crowd.zones[rows],
        arm=crowd.arm[rows],
        send_at=crowd.send_at[rows],
        gone=crowd.gone[rows],
        decided=crowd.decided[rows],
        held=crowd.held[rows],
    )
