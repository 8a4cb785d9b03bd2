"""The true value of a policy: exact one step ahead, and deployed over weeks with true carry-over."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from experiments.simulate.commerce import NO_CONTACT, Floats
from experiments.simulate.day import POLICY, generator
from experiments.simulate.dynamics import State
from experiments.simulate.expectation import expected_reward
from experiments.simulate.policies import Moment, Policy, draw
from experiments.simulate.response import Response
from experiments.simulate.world import World
from nba.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Value:
    """What a policy earned: total reward of each customer (n,), their mean, and its interval.

    The interval is over customers and their luck; customers don't influence each other.
    """

    totals: Floats
    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, totals: Floats, level: float = 0.95) -> Value:
        """Mean and normal interval; of totals a − b of two policies with one seed it is the paired one."""
        mean = float(totals.mean())
        half = NormalDist().inv_cdf(0.5 + level / 2) * float(totals.std(ddof=1)) / len(totals) ** 0.5
        return cls(totals=totals, mean=mean, low=mean - half, high=mean + half)


def one_step_value(world: World, state: State, day: int, odds: Floats) -> float:
    """Exact mean expected reward over the window of drawing from `odds` (n, k) on `day`, then silence."""
    return float((odds * expected_reward(world, state, day)).sum(axis=1).mean())


def deployed_value(
    world: World,
    policy: Policy,
    start: State,
    *,
    days: int,
    seed: int,
    decision_every: int = 7,
    first_day: int = 0,
    level: float = 0.95,
) -> Value:
    """Let `policy` decide for everybody every `decision_every` days, and count all rewards of `days` days.

    Carry-over, wear-out, fatigue, unsubscribing and churn are all in it. Raises InvalidInput for
    odds that are none, and for days or decision_every below 1.
    """
    if days < 1 or decision_every < 1:
        raise InvalidInput.of("days" if days < 1 else "decision_every", "must be at least 1")
    state, totals = start, np.zeros(world.customers)
    since: list[Response] = []
    for day in range(first_day, first_day + days):
        arm = np.full(world.customers, NO_CONTACT)
        if (day - first_day) % decision_every == 0:
            eligible = world.eligible(state)
            moment = Moment(world=world, day=day, state=state, eligible=eligible, since=tuple(since))
            luck = generator(seed, day, POLICY).random(world.customers)
            arm, since = draw(policy(moment), eligible, luck), []
        state, response = world.step(state, day, arm, seed)
        since.append(response)
        totals += response.reward()
    return Value.of(totals, level)
