"""Reference policies of the world, whose true values bracket any other's, as odds over arms (n, k).

A policy is told a `Moment` and returns odds, never an arm. The oracle reads the hidden state; a policy
to be judged must look at nothing but `touchpoints()`, `eligible` and the world's profiles and contexts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl

from experiments.simulate.calendar import day_start
from experiments.simulate.commerce import NO_CONTACT, Floats, Ints
from experiments.simulate.dynamics import State
from experiments.simulate.expectation import expected_reward
from experiments.simulate.response import TOUCHPOINTS, Flags, Response
from experiments.simulate.world import World
from nba.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moment:
    """A decision moment for all n customers.

    Attributes:
        day: whose first second `at` (epoch seconds) is the moment.
        state: the hidden truth, for oracles only.
        eligible: (n, k) arms with consent.
        since: responses since the last decision, oldest first.
    """

    world: World
    day: int
    state: State
    eligible: Flags
    since: tuple[Response, ...] = ()

    @property
    def at(self) -> float:
        """Epoch seconds."""
        return day_start(self.day)

    def touchpoints(self) -> pl.DataFrame:
        """Events since the last decision, by time."""
        parts = [response.touchpoints() for response in self.since]
        return pl.concat(parts) if parts else pl.DataFrame(schema=TOUCHPOINTS)


Policy: TypeAlias = Callable[[Moment], Floats]


def uniform(moment: Moment) -> Floats:
    """Every eligible arm alike."""
    odds: Floats = moment.eligible / moment.eligible.sum(axis=1, keepdims=True)
    return odds


def always(arm: int) -> Policy:
    """One arm for everybody, `no_contact` for those who may not get it."""

    def policy(moment: Moment) -> Floats:
        return certain(np.where(moment.eligible[:, arm], arm, NO_CONTACT), moment.eligible.shape[1])

    return policy


def oracle(moment: Moment) -> Floats:
    """The arm of the highest true expected reward over the window: best one step ahead, greedy beyond."""
    return oracle_odds(expected_reward(moment.world, moment.state, moment.day))


def oracle_odds(expected: Floats) -> Floats:
    """Odds 1 on each row's best arm of `expected` (n, k); of equals the first, so silence before a waste."""
    return certain(expected.argmax(axis=1), expected.shape[1])


def certain(arm: Ints, arms: int) -> Floats:
    """(n, k) odds 1 on `arm` (n,)."""
    return np.eye(arms)[arm]


def draw(odds: Floats, eligible: Flags, uniforms: Floats) -> Ints:
    """(n,) arms drawn from `odds` (n, k) by `uniforms` (n,).

    Raises InvalidInput for odds that are negative, don't sum to 1 within 1e-9, or fall on a refused arm.
    """
    if odds.shape != eligible.shape or not (
        np.all(odds >= 0) and np.all(np.abs(odds.sum(axis=1) - 1) <= 1e-9)
    ):
        raise InvalidInput.of("odds", f"must be {eligible.shape}, not negative, and each row sum to 1")
    if np.any(odds[~eligible] > 0):
        raise InvalidInput.of("odds", "must be 0 for arms that are not eligible")
    reached = np.cumsum(odds, axis=1)
    reached /= reached[:, -1:]
    arm: Ints = (uniforms[:, None] >= reached).sum(axis=1)
    return arm
