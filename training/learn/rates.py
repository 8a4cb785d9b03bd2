"""Guardrails while a policy decides: counts per decision, side by side, by intervals that hold at every look.

A customer's count less the rate times their decisions is what they add to the uncertainty of a rate (the
delta method), so customers with many decisions count as one. The interval is `experiments.ab.always_valid`:
whoever looks every few seconds does not roll back by chance. Decisions whose `within` is still open count
with what has come so far: that only makes a rate smaller, and side by side it does so for both alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.ab import Moments, always_valid
from nba.errors import NotEnoughData
from nba.playbook.schema import Guardrail

Floats = NDArray[np.float64]
FEWEST = 20  # customers below which a rate says nothing
_TUNING = 500.0  # customers about which the interval is narrowest: breaches are to be found early
_SURE = 2  # customers of a limit that is known exactly: no spread, and next to no weight


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counted:
    """(n,) customers of n decisions of one policy, and (n,) what was counted after each."""

    customer: NDArray[np.int64]
    count: Floats

    def values(self) -> Floats:
        """(m + 1,) a value a customer, whose mean is the rate and whose spread is its uncertainty.

        A customer more, with nothing counted, keeps a rate of all ones from having no spread.
        """
        _, codes = np.unique(self.customer, return_inverse=True)
        decisions = np.append(np.bincount(codes), 1.0)
        counts = np.append(np.bincount(codes, weights=self.count), 0.0)
        rate = counts.sum() / decisions.sum()
        values: Floats = rate + (counts - rate * decisions) / decisions.mean()
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is known of a guardrail under a policy.

    Attributes:
        rate: counts per decision; None where too few customers were decided for.
        broken: whether it is shown to break.
        reason: one clause, for a person.
    """

    name: str
    rate: float | None
    broken: bool
    reason: str


def finding(
    rail: Guardrail, trial: Counted, side_by_side: tuple[Counted, Counted] | None, level: float
) -> Finding:
    """Whether a policy on trial breaks a guardrail: by its own limit, and beside another where there is one.

    Args:
        side_by_side: the trial and the other from when both have decided for the same shares.
        level: of confidence, over all looks.
    """
    customers = len(np.unique(trial.customer))
    if customers < FEWEST:
        return _finding(rail, None, f"has {customers} customers, {FEWEST} are needed")
    values = trial.values()
    rate = float(values.mean())
    if rail.most is not None:
        limit = Moments(n=_SURE, total=_SURE * rail.most, squares=_SURE * rail.most**2)
        if _above(limit, Moments.of(values), level):
            return _finding(rail, rate, f"is {rate:.4g} a decision, above {rail.most:g}", broken=True)
    if rail.rise is not None and side_by_side is not None and all(map(_enough, side_by_side)):
        ours, beside = (part.values() for part in side_by_side)
        if _above(Moments.of(beside * (1 + rail.rise)), Moments.of(ours), level):
            told = f"is {ours.mean():.4g} a decision, more than {rail.rise:.0%} above the champion's"
            return _finding(rail, rate, f"{told} {beside.mean():.4g}", broken=True)
    return _finding(rail, rate, f"is {rate:.4g} a decision, within its limits")


def _enough(counted: Counted) -> bool:
    return len(np.unique(counted.customer)) >= FEWEST


def _above(limit: Moments, rate: Moments, level: float) -> bool:
    try:
        return always_valid(limit, rate, tuning=_TUNING, level=level).low > 0
    except NotEnoughData:
        return False  # nothing was counted for anybody


def _finding(rail: Guardrail, rate: float | None, said: str, *, broken: bool = False) -> Finding:
    return Finding(name=rail.name, rate=rate, broken=broken, reason=f"{rail.name} {said}")
