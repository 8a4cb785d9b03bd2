"""The moments at which a rule that refuses a customer now may lift: windows, periods, cooldowns and days end,
validity begins, a touchpoint gets old enough, quiet hours are over. Whether anything is eligible then is for
the rules to say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from nba.contact.actions import ActionRules
from nba.contact.caps import CapRule
from nba.contact.limits import DailyLimits
from nba.contact.situation import DAY, Situation
from nba.contact.timing import Timetable
from nba.contact.zones import local_day, next_period, start_of

LIFTING = ("valid_from", "stop_after", "cooldown", "daily")
"""What lifts with time of the rules of an action; caps and quiet hours do too."""


def turns(
    timetable: Timetable,
    own: ActionRules,
    caps: Sequence[CapRule],
    limits: DailyLimits | None,
    at: Situation,
    row: int,
) -> list[float]:
    """The moments after now of one customer, sorted; each with the next one outside the quiet hours, and
    with those at which parts of that day begin and end: once over, one means the next day's."""
    now, zone = float(at.now[row]), at.zones[row]
    lifts = {
        *_caps(caps, at, row),
        *_actions(own, at, row),
        *(_days(limits, at, now) if limits is not None else ()),
    }
    after = {now, *(moment for moment in lifts if moment > now)}
    after |= {edge for moment in list(after) for edge in timetable.edges(moment, zone)}
    after |= {opens for moment in after if (opens := timetable.opens(moment, zone)) is not None}
    return sorted(after - {now})


def _caps(caps: Sequence[CapRule], at: Situation, row: int) -> Iterator[float]:
    """When each contact leaves its windows and periods."""
    if not at.ledger.at.shape[1] or np.isnan(at.ledger.at[row]).all():
        return
    for rule in caps:
        times = at.ledger.at[row, rule.counts(at.ledger)[row]]
        if len(times) < rule.cap.max:  # it refuses nothing
            continue
        for sent in times.tolist():
            if rule.cap.per is not None:
                yield next_period(rule.cap.per, sent, at.zones[row])
            elif rule.cap.within is not None:
                yield sent + rule.cap.within


def _actions(own: ActionRules, at: Situation, row: int) -> Iterator[float]:
    """When validity begins, cooldowns end, and touchpoints are old enough."""
    if own.valid_from is not None:
        yield from np.unique(own.valid_from[np.isfinite(own.valid_from)]).tolist()
    if own.cooldown is not None:
        lengths = own.cooldown[at.ledger.action[row]]
        yield from (at.ledger.at[row] + lengths)[lengths > 0].tolist()
    left = (own.stop_after - at.features[row, own.ages]) * DAY
    for seconds in left[left > 0].tolist():  # the next whole second: an age in days is a rounding error off
        yield math.floor(float(at.now[row]) + seconds) + 1.0


def _days(limits: DailyLimits, at: Situation, now: float) -> Iterator[float]:
    """When the playbook's day is over, and each day on which something is used up."""
    today = local_day(math.floor(now), limits.zone)
    for day in {today, *limits.days(at.used)}:
        yield start_of(day + 1, limits.zone)
