"""Caps as arrays: would one more contact at this moment break a rolling window or a calendar period?

A window of length w holds the contacts in [t, t + w). A contact at s is allowed where every window that
holds s stays at or below the cap with it, contacts planned for later included. A period is the day, week
(from Monday) or month on the customer's own calendar; the one that holds s may hold `max` with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nba.contact.ledger import PURPOSES as PURPOSES
from nba.contact.ledger import Ledger as Ledger
from nba.contact.zones import local_days, period_of
from nba.playbook.compile import Playbook
from nba.playbook.schema import Cap

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CapRule:
    """A cap of the playbook, compiled.

    Attributes:
        place: which of the playbook's caps it is.
        channel, category: the only one that it is about; None for all.
        purposes: (4,) by the code of a purpose whether it counts; the last, of one that is gone, does not.
        arms: (k,) True for the arms that it concerns.
    """

    place: int
    cap: Cap
    channel: int | None
    category: int | None
    purposes: Bools
    arms: Bools

    def counts(self, ledger: Ledger) -> Bools:
        """(n, m) True for the contacts that count in it."""
        counted = self.purposes[ledger.purpose]
        if self.channel is not None:
            counted &= ledger.channel == self.channel
        if self.category is not None:
            counted &= ledger.category == self.category
        return counted

    def over(self, at: Floats, counted: Bools, moments: Floats, zones: Sequence[str]) -> Bools | None:
        """Where one more contact would break the cap.

        Args:
            at: (n, m) the contacts; NaN pads.
            counted: (n, m) which of them count; never a pad.
            moments: (n, t) when the one more would be sent; NaN is never over.

        Returns:
            (n, t); None where nothing is over, which is mostly found by counting alone.
        """
        if self.cap.max == 0:
            return ~np.isnan(moments)
        full = np.count_nonzero(counted, axis=1) >= self.cap.max
        if not full.any():
            return None
        over = np.zeros(moments.shape, dtype=np.bool_)
        rows = np.flatnonzero(full)
        if self.cap.per is None:
            over[rows] = self._over_window(at[rows], counted[rows], moments[rows])
        else:
            own = [zones[row] for row in rows.tolist()]
            over[rows] = self._over_period(at[rows], counted[rows], moments[rows], own)
        return over

    def _over_window(self, at: Floats, counted: Bools, moments: Floats) -> Bools:
        """A window is overfull where `max` contacts, neighbours in time, fit into it with the moment."""
        most, within = self.cap.max, self.cap.within or 0.0
        longest = int(np.count_nonzero(counted, axis=1).max())
        times = np.sort(np.where(counted, at, np.nan), axis=1)[:, :longest]  # NaN goes last
        first, last = times[:, None, : longest - most + 1], times[:, None, most - 1 :]
        s = moments[:, :, None]
        over: Bools = (np.maximum(last, s) < np.minimum(first, s) + within).any(axis=2)
        return over

    def _over_period(self, at: Floats, counted: Bools, moments: Floats, zones: Sequence[str]) -> Bools:
        per = self.cap.per or "day"
        theirs = period_of(per, local_days(np.where(counted, at, np.nan), zones))
        ours = period_of(per, local_days(moments, zones))
        same = (ours[:, :, None] == theirs[:, None, :]) & counted[:, None, :]
        over: Bools = np.count_nonzero(same, axis=2) >= self.cap.max
        return over


def cap_rules(playbook: Playbook) -> tuple[CapRule, ...]:
    """The caps that concern any arm."""
    arms = playbook.arms
    actions = list(playbook.spec.actions.values())
    purpose = np.array([*(PURPOSES.index(a.purpose) for a in actions), -1])[arms.action]
    category = np.array([*(_place(arms.categories, a.category) for a in actions), -1])[arms.action]
    rules = []
    for place, cap in enumerate(playbook.spec.contact.caps):
        counts = np.array([*(name in cap.purposes for name in PURPOSES), False])
        concerned = counts[purpose]
        if cap.channel is not None:
            concerned = concerned & (arms.channel == arms.channels.index(cap.channel))
        if cap.category is not None:
            concerned = concerned & (category >= 0) & (category == _place(arms.categories, cap.category))
        if concerned.any():
            rules.append(
                CapRule(
                    place=place,
                    cap=cap,
                    channel=None if cap.channel is None else arms.channels.index(cap.channel),
                    category=None if cap.category is None else _place(arms.categories, cap.category),
                    purposes=counts,
                    arms=concerned,
                )
            )
    return tuple(rules)


def _place(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else -1
