"""Guardrails on a log: how often something follows a decision, and whether a challenger would break one.

A count per decision is a reward of another kind, so the estimate is off-policy too. Contacts need no
estimate: a policy's odds say how many it makes. Here a guardrail stops what is shown to break it; the ramp
watches the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.ope import LoggedBatch, difference, estimate
from nba.errors import NotEnoughData
from nba.playbook.declaration import CONTACT
from nba.playbook.schema import Guardrail, Objectives, Outcome
from nba.rewards.reward import rewards

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Guard:
    """A guardrail with what it counts after each of n decisions; NaN where that isn't known yet."""

    rail: Guardrail
    count: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailCheck:
    """What is known of a guardrail under a challenger.

    Attributes:
        champion, challenger: counts per decision; None where the data carry no estimate.
        broken: whether it is shown to break.
        reason: one clause, for a person.
    """

    name: str
    champion: float | None
    challenger: float | None
    broken: bool
    reason: str


def follows(
    rail: Guardrail,
    *,
    customer: pl.Series,
    decided_at: Floats,
    contact: Floats,
    touchpoints: pl.DataFrame,
    as_of: float,
) -> Floats:
    """(n,) how often `rail.count` came in the `rail.within` after each decision; NaN where that is not over.

    Args:
        contact: (n,) 1 where the arm drawn was a contact: what a guardrail on `contact` counts.
        touchpoints: as for `nba.rewards.reward.rewards`.
    """
    if rail.count == CONTACT:
        return contact
    counting = Objectives.model_construct(
        window=rail.within, outcomes={rail.count: Outcome(value=1.0)}, clip=None
    )
    return rewards(
        counting,
        customer=customer,
        decided_at=decided_at,
        cost=np.zeros(len(decided_at)),
        touchpoints=touchpoints,
        as_of=as_of,
    ).reward


def check(guard: Guard, batch: LoggedBatch, champion: LoggedBatch, level: float) -> GuardrailCheck:
    """Whether the challenger whose odds `batch` has breaks it, where the champion's are in `champion`."""
    if guard.rail.count == CONTACT:
        return _told(guard.rail, _contacts(champion.target), _contacts(batch.target), (0.0, 0.0))
    known = ~np.isnan(guard.count)
    if not known.any():
        return _unknown(guard.rail, "no decision is old enough")
    ours, theirs = (_counting(b, guard.count, known) for b in (batch, champion))
    try:
        now = estimate("snips", theirs, level=level)
        then = estimate("snips", ours, level=level)
        rise = difference("snips", ours, ours.target, theirs.target, level=level)
    except NotEnoughData as error:
        return _unknown(guard.rail, error.detail)
    return _told(guard.rail, now.value, then.value, (then.value - then.low, rise.value - rise.low))


def _told(rail: Guardrail, now: float, then: float, half: tuple[float, float]) -> GuardrailCheck:
    """With the half-widths of the challenger's own count and of its difference to the champion's."""
    broken = []
    if rail.most is not None and then - half[0] > rail.most:
        broken.append(f"more than {rail.most:g}")
    if rail.rise is not None and then - now - half[1] > rail.rise * now:
        broken.append(f"more than {rail.rise:.0%} above the champion's {now:.4g}")
    said = f"{rail.name} would be {then:.4g} a decision, {' and '.join(broken) or 'within its limits'}"
    return GuardrailCheck(name=rail.name, champion=now, challenger=then, broken=bool(broken), reason=said)


def _unknown(rail: Guardrail, why: str) -> GuardrailCheck:
    return GuardrailCheck(
        name=rail.name,
        champion=None,
        challenger=None,
        broken=False,
        reason=f"{rail.name} is not known: {why}",
    )


def _contacts(target: Floats) -> float:
    """Contacts a decision under (n, k) odds."""
    return float(1.0 - target[:, 0].mean())


def _counting(batch: LoggedBatch, count: Floats, known: NDArray[np.bool_]) -> LoggedBatch:
    """The log with the counts as rewards, where they are known."""
    return LoggedBatch(
        reward=count[known],
        arm=batch.arm[known],
        propensity=batch.propensity[known],
        target=batch.target[known],
        customer=None if batch.customer is None else batch.customer[known],
        logging=None if batch.logging is None else batch.logging[known],
    )
