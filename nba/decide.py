"""The decision as a pure function of arrays: eligible → scores → odds → draw.

Awaits nothing, knows no store, no clock and no chance of its own. One decision is a batch of one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nba.contact.eligibility import Gatekeeper, Situation, Verdict
from nba.policies.draw import draw
from nba.policies.policy import Choice, Policy

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """n decisions.

    Attributes:
        arm: (n,) the arm drawn; `propensity` (n,) its odds.
        choice: odds, scores and best arm of each row.
        verdict: refusal codes and send moments.
        explored: (n,) True where the draw is not the arm the policy thinks best.
    """

    arm: Ints
    propensity: Floats
    choice: Choice
    verdict: Verdict
    explored: Bools


def decide(
    gatekeeper: Gatekeeper,
    situation: Situation,
    uniforms: Floats,
    *,
    policy: Policy,
    random_policy: Policy,
    at_random: Bools,
) -> Decided:
    """Decide for n customers.

    Args:
        uniforms: (n,) in [0, 1), keyed by decision id.
        policy: decides for all but the customers `at_random` (n,), for whom `random_policy` does.
    """
    verdict = gatekeeper.judge(situation)
    eligible = verdict.eligible
    choice = policy.choose(situation.features, eligible)
    if at_random.any():
        other = random_policy.choose(situation.features[at_random], eligible[at_random])
        choice = Choice(
            odds=_replaced(choice.odds, at_random, other.odds),
            scores=choice.scores,
            best=choice.best,
        )
    arm = draw(choice.odds, uniforms)
    propensity = choice.odds[np.arange(len(arm)), arm]
    return Decided(
        arm=arm, propensity=propensity, choice=choice, verdict=verdict, explored=arm != choice.best
    )


def _replaced(odds: Floats, rows: Bools, values: Floats) -> Floats:
    out = odds.copy()
    out[rows] = values
    return out
