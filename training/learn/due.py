"""When to learn: counts what has matured without reading what it rested on, and says what is due."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import orjson

from nba.playbook.compile import Playbook
from nba.stores.ports import Store
from training.learn.freshen import boundary
from training.policy.budget import noted
from training.policy.champion import POLICY
from training.policy.learnable import FEWEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What has matured.

    Attributes:
        through: epoch seconds; matured decisions before it are counted.
        since_full: treated decisions that matured since the last full retraining.
        since_update: those since the champion was last brought up to date, or that was tried.
        full_at: when all learners last competed; None for never.
    """

    through: float
    since_full: int
    since_update: int
    full_at: float | None

    @classmethod
    def of(cls, store: Store, playbook: Playbook, *, as_of: float, scope: str = POLICY) -> Pulse:
        """Counted anew, for a process that starts."""
        tried = [row.at for row in noted(store) if orjson.loads(row.body)["scope"] == scope]
        full_at = tried[-1] if tried else None
        since = float("-inf") if full_at is None else boundary(playbook, full_at)
        fresh = cls(through=since, since_full=0, since_update=0, full_at=full_at)
        return fresh.advanced(store, playbook, as_of=as_of)

    def advanced(self, store: Store, playbook: Playbook, *, as_of: float) -> Pulse:
        """With what has matured since."""
        through = max(boundary(playbook, as_of), self.through)
        new = sum(
            row.status == "active" and row.group == "treatment"
            for rows in store.draws(self.through, through)
            for row in rows
        )
        return Pulse(
            through=through,
            since_full=self.since_full + new,
            since_update=self.since_update + new,
            full_at=self.full_at,
        )

    def full(self, at: float) -> Pulse:
        """All learners have competed."""
        return Pulse(through=self.through, since_full=0, since_update=0, full_at=at)

    def updated(self) -> Pulse:
        """The champion was brought up to date, or that was tried."""
        return Pulse(through=self.through, since_full=self.since_full, since_update=0, full_at=self.full_at)


def full_due(pulse: Pulse, playbook: Playbook, *, as_of: float, drifted: bool) -> str | None:
    """Why all learners should compete now; None where they should not.

    By schedule, by volume, on drift; for the first time as soon as there is enough to be judged.
    """
    learning = playbook.spec.learning
    if pulse.full_at is None:
        return "for the first time" if pulse.since_full >= first_needs(playbook) else None
    if pulse.since_full < full_needs(playbook):
        return None  # nothing to learn that was not known
    if drifted:
        return "on drift"
    if learning.volume is not None and pulse.since_full >= learning.volume:
        return f"by volume, {pulse.since_full:,} decisions"
    if as_of - pulse.full_at >= learning.retrain:
        return "by schedule"
    return None


def first_needs(playbook: Playbook) -> int:
    """Mature decisions of treatment customers before the first training."""
    return max(FEWEST, playbook.spec.promotion.decisions)


def full_needs(playbook: Playbook) -> int:
    """Newly mature ones without which a full retraining would learn nothing, whatever its date."""
    return min(FEWEST, playbook.spec.learning.update)


def update_due(pulse: Pulse, playbook: Playbook) -> bool:
    """Whether enough has matured to bring the champion up to date."""
    return pulse.since_update >= playbook.spec.learning.update and bool(np.isfinite(pulse.through))
