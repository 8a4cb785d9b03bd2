"""Caps as arrays: would one more contact at this moment break a rolling window?

A window of length w holds the contacts in [t, t + w). A contact at s is allowed where every window that
holds s stays at or below the cap with it, contacts planned for later included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nba.model import ContactRow
from nba.playbook.compile import Playbook
from nba.playbook.schema import Cap

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The contacts of n customers, padded to the longest.

    Attributes:
        at: (n, m) when sent or to be sent; NaN pads.
        channel, purpose, action: (n, m) indices; -1 for a name the playbook no longer has.
    """

    at: Floats
    channel: NDArray[np.int64]
    purpose: NDArray[np.int64]
    action: NDArray[np.int64]

    @classmethod
    def of(cls, playbook: Playbook, contacts: Sequence[Sequence[ContactRow]]) -> Ledger:
        """One sequence of contacts a customer."""
        n, m = len(contacts), max(map(len, contacts), default=0)
        at = np.full((n, m), np.nan)
        codes = np.full((3, n, m), -1, dtype=np.int64)
        arms = playbook.arms
        for i, rows in enumerate(contacts):
            for j, row in enumerate(rows):
                at[i, j] = row.send_at
                codes[0, i, j] = _code(arms.channels, row.channel)
                codes[1, i, j] = _code(PURPOSES, row.purpose)
                codes[2, i, j] = _code(arms.actions, row.action)
        return cls(at=at, channel=codes[0], purpose=codes[1], action=codes[2])

    def rows(self, rows: NDArray[np.int64]) -> Ledger:
        """The ledgers of these rows."""
        return Ledger(
            at=self.at[rows],
            channel=self.channel[rows],
            purpose=self.purpose[rows],
            action=self.action[rows],
        )


PURPOSES = ("marketing", "service", "transactional")


def breaks_cap(ledger: Ledger, send_at: Floats, cap: Cap, channel: int | None) -> Bools:
    """(n, t) candidate moments → (n, t) True where a contact there would exceed `cap`. NaN is False."""
    if cap.max == 0:
        return ~np.isnan(send_at)
    # One more entry than purposes: the code -1, of a purpose that no longer exists, counts for nothing.
    counted = np.array([*(purpose in cap.purposes for purpose in PURPOSES), False])[ledger.purpose]
    if channel is not None:
        counted &= ledger.channel == channel
    if not counted.any():
        return np.zeros(send_at.shape, dtype=np.bool_)
    return _most_in_window(np.where(counted, ledger.at, np.nan), send_at, cap.within) + 1 > cap.max


def _most_in_window(at: Floats, send_at: Floats, width: float) -> NDArray[np.int64]:
    """(n, m) contacts, (n, t) moments → (n, t) the fullest window of `width` that holds the moment.

    Only a window that starts at a contact, or at the moment itself, can be fullest.
    """
    ends, s = at + width, send_at[:, :, None]
    from_contact = ((at[:, None, :] >= at[:, :, None]) & (at[:, None, :] < ends[:, :, None])).sum(axis=2)
    holds = (at[:, None, :] <= s) & (s < ends[:, None, :])
    from_moment = ((at[:, None, :] >= s) & (at[:, None, :] < s + width)).sum(axis=2)
    fullest: NDArray[np.int64] = np.where(holds, from_contact[:, None, :], 0).max(axis=2, initial=0)
    most: NDArray[np.int64] = np.maximum(fullest, from_moment)
    return most


def _code(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else -1
