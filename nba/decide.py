"""The decision as a pure function of arrays: eligible → scores → odds → draw.

Awaits nothing, knows no store, no clock and no chance of its own. One decision is a batch of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nba.contact.eligibility import Gatekeeper, Situation, Verdict
from nba.policies.draw import draw
from nba.policies.explore import levels
from nba.policies.policy import Choice, Policy

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """n decisions.

    Attributes:
        arm: (n,) the arm drawn; `propensity` (n,) its odds.
        levels: (n, 3) the odds of its action, of its channel given that, of its timing given both.
        choice: odds, scores and best arm of each row.
        verdict: refusal codes and send moments.
        explored: (n,) True where the draw is not the arm the policy thinks best.
        rung: which policy of the ladder decided.
        failures: what those above it raised.
        watched: what the policies that look on would have done, or what they raised.
    """

    arm: Ints
    propensity: Floats
    levels: Floats
    choice: Choice
    verdict: Verdict
    explored: Bools
    rung: int
    failures: tuple[Exception, ...]
    watched: tuple[Choice | Exception, ...]


def decide(
    gatekeeper: Gatekeeper,
    situation: Situation,
    uniforms: Floats,
    *,
    ladder: Sequence[Policy],
    random_policy: Policy,
    at_random: Bools,
    watching: Sequence[Policy] = (),
) -> Decided:
    """Decide for n customers.

    Args:
        uniforms: (n,) in [0, 1), keyed by decision id.
        ladder: the first of these that gives odds decides for all but the customers `at_random` (n,), for
            whom `random_policy` does; the next ones are for when it fails, whatever the arm.
        watching: policies that are asked too and change nothing.
    """
    verdict = gatekeeper.judge(situation)
    eligible = verdict.eligible
    choice, failures = _first_sound(ladder, situation.features, eligible)
    watched = tuple(_asked(policy, situation.features, eligible) for policy in watching)
    if at_random.any():
        choice = _with_random(choice, random_policy, situation.features, eligible, at_random)
    arm = draw(choice.odds, uniforms)
    return Decided(
        arm=arm,
        propensity=choice.odds[np.arange(len(arm)), arm],
        levels=levels(choice.odds, gatekeeper.playbook.arms, arm),
        choice=choice,
        verdict=verdict,
        explored=arm != choice.best,
        rung=len(failures),
        failures=failures,
        watched=watched,
    )


class Unsound(Exception):
    """A policy's odds are not finite or don't add up to 1."""


def _first_sound(
    ladder: Sequence[Policy], features: Floats, eligible: Bools
) -> tuple[Choice, tuple[Exception, ...]]:
    """What the first policy that can choose makes of all rows. Raises what the last one raised."""
    failures: list[Exception] = []
    for policy in ladder:
        try:
            choice = policy.choose(features, eligible)
            if not np.all(np.abs(choice.odds.sum(axis=1) - 1.0) <= _TOLERANCE):  # NaN is not either
                raise Unsound(policy.specification)
            return choice, tuple(failures)
        except Exception as error:  # whatever ails a policy, the next rung decides, and this is told
            failures.append(error)
    raise failures[-1]


def _asked(policy: Policy, features: Floats, eligible: Bools) -> Choice | Exception:
    try:
        return policy.choose(features, eligible)
    except Exception as error:  # who looks on must not stop who decides; it is told
        return error


def _with_random(
    choice: Choice, random_policy: Policy, features: Floats, eligible: Bools, at_random: Bools
) -> Choice:
    """The odds of `random_policy` in the rows `at_random`; scores and the best arm stay."""
    odds = choice.odds.copy()
    odds[at_random] = random_policy.choose(features[at_random], eligible[at_random]).odds
    return Choice(odds=odds, scores=choice.scores, values=choice.values, best=choice.best)
