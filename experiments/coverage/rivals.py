"""The intervals that the procedure could have taken instead, on the same logs, where n_psi is large.

Each is told what it asks for, also what a log doesn't show: the largest weight of the world and the range of
its rewards. They run on the first logs only, which calls more of them valid than all logs would.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from experiments.coverage.cells import Cell
from experiments.coverage.world import Reward, World
from experiments.ope import Estimate, LoggedBatch
from experiments.ope.batch import Floats
from experiments.ope.intervals import (
    bootstrap,
    confidence_sequence,
    cressie_read,
    empirical_bernstein,
    normal,
)
from experiments.ope.registry import terms_of
from experiments.ope.terms import linearise
from experiments.ope.units import by_unit

LOOK = 80.0
"""n_psi of the first log from which others are tried; the verdict asks where the mean is 100."""

FIRST = 100
"""Logs on which they run."""

RESAMPLES, MOST = 200, 1_200
"""Of the bootstrap; and the customers above which it doesn't run, where it is Student's but for noise."""


_OF_WEIGHTED = {"Cressie–Read": cressie_read, "confidence sequence": confidence_sequence}


@dataclass(slots=True, kw_only=True, eq=False)
class Rivals:
    """Collects ends. reach: what a customer's contribution can range over; bounds: of a reward, or None."""

    reach: float | None
    bounds: tuple[float, float] | None
    level: float = 0.95
    _seen: int = 0
    _wanted: bool = False
    _ends: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, name: str, batch: LoggedBatch, found: Estimate) -> None:
        if self._seen == 0:
            self._wanted = found.n_psi >= LOOK
        self._seen += 1
        if not self._wanted or self._seen > FIRST:
            return
        for rival, ends in self._all(name, batch, found).items():
            self._ends.setdefault(rival, []).append(ends)

    def ends(self) -> dict[str, Floats]:
        """(logs, 2) by interval."""
        return {name: np.array(ends) for name, ends in self._ends.items()}

    def _all(self, name: str, batch: LoggedBatch, found: Estimate) -> dict[str, tuple[float, float]]:
        terms = terms_of(name, batch, {})
        psi = by_unit(linearise(terms)[1], batch)
        n, m = len(batch.reward), batch.units
        tried = {"normal": normal(found.value, psi, n, self.level)}
        if m <= MOST:
            tried["bootstrap"] = bootstrap(
                found.value, psi, n, self.level, seed=self._seen, resamples=RESAMPLES
            )
        if self.reach is not None:
            tried["empirical Bernstein"] = empirical_bernstein(
                found.value, psi, n, self.level, reach=self.reach
            )
        if self.bounds is not None:
            weight = by_unit(batch.weight, batch) * (m / n)
            rewarded = by_unit(batch.weight * batch.reward, batch) * (m / n)
            for rival, interval in _OF_WEIGHTED.items():
                tried[rival] = interval(weight, rewarded, self.level, bounds=self.bounds)
        return tried


def rivals_of(cell: Cell, world: World, reward: Reward) -> Rivals:
    """With the range of a customer's weighted reward, which is narrower than that of any estimator here."""
    if reward.spread and reward.clip is None:
        return Rivals(reach=None, bounds=None)
    most = 1.0 if reward.clip is None else reward.clip
    return Rivals(reach=world.heaviest * most, bounds=(0.0, most))
