"""The ledger as arrays: the contacts that count for n customers. How they came to count is not asked here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nba.model import ContactRow
from nba.playbook.compile import Playbook

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
PURPOSES = ("marketing", "service", "transactional")
_CODES = 5  # channel, purpose, action, category, priority
_PRIORITY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The contacts of n customers, padded to the longest.

    Attributes:
        at: (n, m) when sent or to be sent; NaN pads.
        channel, purpose, action, category: (n, m) indices; -1 for a name the playbook no longer has.
        priority: (n, m) of the action in the playbook now; the catalogue's for one that it does not list.
        reserved: (n, m) True for what is to be sent or sent, False for what is held until it is shown.
        ids: n tuples of decision ids, in the order of the columns, not padded.
    """

    at: Floats
    channel: Ints
    purpose: Ints
    action: Ints
    category: Ints
    priority: Ints
    reserved: Bools
    ids: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, playbook: Playbook, contacts: Sequence[Sequence[ContactRow]]) -> Ledger:
        """One sequence of contacts a customer."""
        n, m = len(contacts), max(map(len, contacts), default=0)
        at, reserved = np.full((n, m), np.nan), np.zeros((n, m), dtype=np.bool_)
        codes = np.full((_CODES, n, m), -1, dtype=np.int64)
        codes[_PRIORITY] = 0
        if m:
            rows = [row for one in contacts for row in one]
            there = np.arange(m) < np.array([len(one) for one in contacts])[:, None]
            at[there] = [row.send_at for row in rows]
            reserved[there] = [row.status == "reserved" for row in rows]
            codes[:, there] = _names(playbook).codes(rows)
        channel, purpose, action, category, priority = codes
        return cls(
            at=at,
            channel=channel,
            purpose=purpose,
            action=action,
            category=category,
            priority=priority,
            reserved=reserved,
            ids=tuple(tuple(row.decision_id for row in one) for one in contacts),
        )

    def rows(self, rows: NDArray[np.int64]) -> Ledger:
        """The ledgers of these rows."""
        return Ledger(
            at=self.at[rows],
            channel=self.channel[rows],
            purpose=self.purpose[rows],
            action=self.action[rows],
            category=self.category[rows],
            priority=self.priority[rows],
            reserved=self.reserved[rows],
            ids=tuple(self.ids[row] for row in rows.tolist()),
        )

    def unsent(self, now: Floats) -> Bools:
        """(n,) moments → (n, m) True for what is reserved and can still be called off."""
        return self.reserved & (self.at > now[:, None])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """Names → their places in the playbook."""

    channels: Mapping[str, int]
    purposes: Mapping[str, int]
    actions: Mapping[str, int]
    categories: Mapping[str, int]
    priorities: Mapping[str, int]
    brought: int

    def codes(self, rows: Sequence[ContactRow]) -> list[list[int]]:
        """Five lists, each one code a contact."""
        return [
            [self.channels.get(row.channel, -1) for row in rows],
            [self.purposes.get(row.purpose, -1) for row in rows],
            [self.actions.get(row.action, -1) for row in rows],
            [self.categories.get(row.category, -1) for row in rows],
            [self.priorities.get(row.action, self.brought) for row in rows],
        ]


@lru_cache(maxsize=16)
def _names(playbook: Playbook) -> _Names:
    arms = playbook.arms
    return _Names(
        channels=_places(arms.channels),
        purposes=_places(PURPOSES),
        actions=_places(arms.actions),
        categories=_places(arms.categories),
        priorities={name: action.priority for name, action in playbook.spec.actions.items()},
        brought=playbook.spec.catalogue.priority,
    )


def _places(names: Sequence[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(names)}
