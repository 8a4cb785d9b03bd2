"""What an action may use up on a day, over all customers: contacts, and their cost.

A contact counts on the day of the playbook's time zone on which it is to be sent. What is used up is told
by the store; here it is only compared. Contacts that give way to another give nothing back here. While
experiments run, a contact has to fit into its pool's part of the limit too (`pools.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import floor

import numpy as np

from nba.contact.pools import Pool
from nba.contact.situation import Bools, Floats, Ints
from nba.contact.zones import day_name, day_number, local_day, local_days
from nba.model import Used
from nba.playbook.compile import Playbook
from nba.playbook.schema import Daily

Usage = Mapping[tuple[str, str], Used]
_NOTHING = Used()
_SLACK = 1e-9  # of a limit in money: ten contacts at 0.1 use up 1 and not more, whatever floats add up to


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Limit:
    """One action's limit: `arms` and their `costs`, the timings that they have."""

    daily: Daily
    arms: Ints
    costs: Floats
    timings: Ints

    def over(self, used: Used) -> Bools:
        """(arms,) where one more contact would exceed the limit."""
        over = np.zeros(len(self.arms), dtype=np.bool_)
        if self.daily.contacts is not None:
            over[:] = used.contacts + 1 > self.daily.contacts
        if self.daily.spend is not None:
            over |= used.spend + self.costs > self.daily.spend * (1 + _SLACK)
        return over

    def room(self, used: Used) -> int | None:
        """How many decisions fit, the dearest arm that still does assumed; None where none or all fit."""
        fits = ~self.over(used)
        if not fits.any():
            return None
        rooms = []
        if self.daily.contacts is not None:
            rooms.append(self.daily.contacts - used.contacts)
        dearest = float(self.costs[fits].max())
        if self.daily.spend is not None and dearest > 0:
            rooms.append(floor((self.daily.spend - used.spend) / dearest * (1 + _SLACK)))
        return max(1, min(rooms)) if rooms else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DailyLimits:
    """The actions that have a daily limit, over (k,) arms; `shut` are the arms that it never lets through.

    `limits` stand under the names by which the store counts: the action's, and `action@pool` for a part.
    """

    limits: Mapping[str, _Limit]
    pool: Pool | None
    zone: str
    timing: Ints
    shut: Bools

    @classmethod
    def of(cls, playbook: Playbook, pool: Pool | None = None) -> DailyLimits | None:
        """None where no action has one.

        Args:
            pool: whose part of them it is; None for all of them.
        """
        arms, limits = playbook.arms, {}
        for i, (name, action) in enumerate(playbook.spec.actions.items()):
            if action.daily is not None:
                own = np.flatnonzero(arms.action == i)
                timings = np.unique(arms.timing[own])
                for key, daily in _dailies(name, action.daily, pool):
                    limits[key] = _Limit(daily=daily, arms=own, costs=arms.cost[own], timings=timings)
        if not limits:
            return None
        shut = np.zeros(len(arms), dtype=np.bool_)
        for limit in limits.values():
            shut[limit.arms] |= limit.over(_NOTHING)
        return cls(limits=limits, pool=pool, zone=playbook.spec.timezone, timing=arms.timing, shut=shut)

    def day_of(self, send_at: float, action: str) -> str | None:
        """The day on which a contact counts, with its pool; None where the action has no limit."""
        pool = self.pool
        if action not in (self.limits if pool is None else pool.own):
            return None
        day = day_name(local_day(floor(send_at), self.zone))
        return day if pool is None else pool.day(day)

    def keys(self, moments: Floats) -> list[tuple[str, str]]:
        """(n, timings) moments → every (action, day) that they could use up, sorted."""
        days = self._days(moments)
        there = ~np.isnan(moments)
        keys = set()
        for name, limit in self.limits.items():
            own = np.ix_(np.arange(len(moments)), limit.timings)
            keys |= {(name, day_name(day)) for day in set(days[own][there[own]].tolist())}
        return sorted(keys)

    def refused(self, moments: Floats, used: Usage) -> Bools | None:
        """(n, timings) moments → (n, k) where a limit would be exceeded; None where none would."""
        full = self._full(used)
        if not full and not self.shut.any():
            return None
        refused = np.repeat(self.shut[None, :], len(moments), axis=0)
        if full:
            days = self._days(moments)
            for day, arms in full.items():
                refused |= (days == day)[:, self.timing] & arms
        return refused

    def room(self, used: Usage, keys: Iterable[tuple[str, str]]) -> int | None:
        """How many decisions may be made together so that none of these limits can be overdrawn."""
        limited = ((self.limits[key[0]], used.get(key, _NOTHING)) for key in keys if key[0] in self.limits)
        rooms = [room for limit, amount in limited if (room := limit.room(amount)) is not None]
        return min(rooms, default=None)

    def together(self, eligible: Bools, used: Usage, keys: Sequence[tuple[str, str]]) -> int:
        """How many of the first of n customers can't overdraw a limit, whatever they draw of (n, k)."""
        most = len(eligible)
        for name, limit in self.limits.items():
            room = self.room(used, [key for key in keys if key[0] == name])
            if room is not None:
                could = np.cumsum(eligible[:, limit.arms].any(axis=1))
                most = min(most, int(np.searchsorted(could, room, side="right")))
        return most

    def days(self, used: Usage) -> set[int]:
        """The days on which something is used up."""
        return {day_number(day) for name, day in used if name in self.limits}

    def _full(self, used: Usage) -> dict[int, Bools]:
        """Day → (k,) the arms for which there is no room on it, where there are any."""
        full: dict[int, Bools] = {}
        for (name, day), amount in used.items():
            limit = self.limits.get(name)
            if limit is not None and (over := limit.over(amount)).any():
                arms = full.setdefault(day_number(day), np.zeros(len(self.timing), dtype=np.bool_))
                arms[limit.arms[over]] = True
        return full

    def _days(self, moments: Floats) -> Ints:
        zones: Sequence[str] = [self.zone] * len(moments)
        return local_days(moments, zones)


def _dailies(action: str, daily: Daily, pool: Pool | None) -> Iterator[tuple[str, Daily]]:
    """The limits of an action, under the names by which the store counts them."""
    if pool is None:
        yield action, daily
        return
    if action in pool.whole:
        yield action, pool.whole[action]
    yield pool.key(action), pool.own[action]
