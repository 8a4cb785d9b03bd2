"""What the company has on record before day 0: touchpoints and the contacts of a legacy campaign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from experiments.simulate.calendar import day_start
from experiments.simulate.commerce import NO_CONTACT, Floats, Ints
from experiments.simulate.day import POLICY, generator
from experiments.simulate.dynamics import State
from experiments.simulate.policies import draw
from experiments.simulate.response import Flags, customer_ids
from experiments.simulate.world import World
from nba.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """The days before day 0.

    Attributes:
        state: where customers stand at the start of day 0.
        touchpoints: events by time, with the columns of `response.TOUCHPOINTS`.
        contacts: customer_id, decided_at, arm, action, channel, timing, propensity: the legacy campaign's
            contacts, each with the probability of that arm at that moment; silence is not listed.
    """

    state: State
    touchpoints: pl.DataFrame
    contacts: pl.DataFrame


def history(world: World, days: int, seed: int, rate: float = 1 / 21) -> History:
    """Live through `days` days up to day 0 under a legacy campaign.

    Each day each customer is, with probability `rate`, given one of their eligible contacts at random.
    Raises InvalidInput for days below 1 or a rate outside [0, 1].
    """
    if days < 1 or not 0 <= rate <= 1:
        raise InvalidInput.of("days" if days < 1 else "rate", "days are at least 1, the rate is in [0, 1]")
    state, touchpoints, contacts = world.initial(), [], []
    for day in range(-days, 0):
        eligible = world.eligible(state)
        odds = _rare(eligible, rate)
        arm = draw(odds, eligible, generator(seed, day, POLICY).random(world.customers))
        state, response = world.step(state, day, arm, seed)
        touchpoints.append(response.touchpoints())
        contacts.append(_contacts(world, day, arm, odds))
    return History(state=state, touchpoints=pl.concat(touchpoints), contacts=pl.concat(contacts))


def _rare(eligible: Flags, rate: float) -> Floats:
    contacts = eligible.copy()
    contacts[:, NO_CONTACT] = False
    number = contacts.sum(axis=1, keepdims=True)
    odds: Floats = contacts * (rate / np.maximum(number, 1))
    odds[:, NO_CONTACT] = 1 - odds.sum(axis=1)
    return odds


def _contacts(world: World, day: int, arm: Ints, odds: Floats) -> pl.DataFrame:
    rows = np.flatnonzero(arm != NO_CONTACT)
    chosen = [world.arms[index] for index in arm[rows]]
    return pl.DataFrame(
        {
            "customer_id": customer_ids(rows),
            "decided_at": np.full(len(rows), int(day_start(day) * 1e6)),
            "arm": arm[rows],
            "action": pl.Series([it.action for it in chosen], dtype=pl.String),
            "channel": pl.Series([it.channel for it in chosen], dtype=pl.String),
            "timing": pl.Series([it.timing for it in chosen], dtype=pl.String),
            "propensity": odds[rows, arm[rows]],
        }
    ).with_columns(pl.col("decided_at").cast(pl.Datetime("us", "UTC")))
