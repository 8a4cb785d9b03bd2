"""The laws of the world: probabilities and carry-over, as pure array functions.

The simulator draws from them and `expectation` sums over them, so the two can't disagree on a law. Nothing
here draws a random number or knows a date. Arrays broadcast; `n` customers lead every shape.

    opening     logistic(channel + part of day − touchiness · fatigue − 1.2 · open ticket)
    lift        taste and thrift, worn out by repeats and fatigue; opening adds it to a stock that decays
    buying      1 − exp(−rate · stage · weekday · (1 + lift) · calm),   calm = exp(−touchiness · fatigue)
    leaving     churn and unsubscribing grow with touchiness · fatigue
    stage       moves by a fixed table, given whether the day saw nothing, a visit or a purchase
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.simulate.commerce import Commerce, Floats, Ints
from experiments.simulate.traits import Traits, logistic

STAGES = ("awareness", "consideration", "purchase", "advocacy")
NOTHING, VISIT, PURCHASE = 0, 1, 2  # what a day saw; a purchase day counts as a purchase only

VISIT_STAGE = np.array([0.6, 1.3, 1.0, 1.5])
BUY_STAGE = np.array([0.5, 1.2, 1.0, 2.2])
CHURN_STAGE = np.array([1.5, 1.0, 0.6, 0.3])
WEEKDAY = np.array([0.9, 0.9, 0.95, 1.0, 1.2, 1.2, 0.85])  # the mean is 1; day 0 is a Monday
MOVE = np.array(  # (what the day saw, stage, next stage); rows sum to 1
    [
        [[1.0, 0, 0, 0], [0.05, 0.95, 0, 0], [0, 0.03, 0.97, 0], [0, 0, 0.01, 0.99]],
        [[0.4, 0.6, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]],
        [[0, 0, 1.0, 0], [0, 0, 1.0, 0], [0, 0, 0.8, 0.2], [0, 0, 0, 1.0]],
    ]
)

FATIGUE_KEEP = 0.5 ** (1 / 10)  # a day's share that stays: half-lives of 10, 21, 2.5 and 2 days
WEAR_KEEP = 0.5 ** (1 / 21)
LIFT_KEEP = 0.5 ** (1 / 2.5)
REBATE_KEEP = 0.5 ** (1 / 2)

LIFT_SCALE, LIFT_MOST = 2.6, 12.0
WEAR_OUT = 0.35  # each recent repeat of an action multiplies its lift by exp(−0.35)
TICKET_OPENS, TICKET_CLOSES = 0.003, 0.35


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """Where n customers stand at the start of a day.

    Attributes:
        alive: (n,) False once churned, for good.
        stage: (n,) index into STAGES.
        fatigue: (n,) decayed count of contacts.
        wear: (n, actions) decayed count of contacts with each action.
        lift: (n,) carried-over stock that multiplies visiting and buying by 1 + lift.
        rebate: (n,) fraction off the basket still promised.
        granted: (n, channels) consent as it is now.
        ticket: (n,) a support ticket is open.
    """

    alive: NDArray[np.bool_]
    stage: Ints
    fatigue: Floats
    wear: Floats
    lift: Floats
    rebate: Floats
    granted: NDArray[np.bool_]
    ticket: NDArray[np.bool_]

    def take(self, customers: Ints) -> State:
        """The state of some customers, in the order asked for."""
        rows: dict[str, Any] = {f.name: getattr(self, f.name)[customers] for f in fields(self)}
        return State(**rows)

    def put(self, customers: Ints, part: State) -> State:
        """A copy in which `customers` stand where `part` says."""
        rows: dict[str, Any] = {f.name: getattr(self, f.name).copy() for f in fields(self)}
        for name, values in rows.items():
            values[customers] = getattr(part, name)
        return State(**rows)


def fresh(traits: Traits, actions: int) -> State:
    """Customers who have never been contacted: members already buy, the others have barely heard of us."""
    n = len(traits.age)
    return State(
        alive=np.ones(n, dtype=np.bool_),
        stage=np.where(traits.member, STAGES.index("purchase"), STAGES.index("awareness")),
        fatigue=np.zeros(n),
        wear=np.zeros((n, actions)),
        lift=np.zeros(n),
        rebate=np.zeros(n),
        granted=traits.granted.copy(),
        ticket=np.zeros(n, dtype=np.bool_),
    )


def open_probability(traits: Traits, state: State, channel: Ints, daypart: Floats) -> Floats:
    """(n, j) of opening a contact on `channel` (n, j) when the part of day is liked `daypart` (n, j)."""
    liking = np.take_along_axis(traits.channel, channel, axis=1) + daypart
    tired = traits.touchiness * state.fatigue + 1.2 * state.ticket
    return logistic(0.2 + liking - tired[:, None])


def unsubscribe_probability(traits: Traits, state: State, commerce: Commerce, action: Ints) -> Floats:
    """(n, j) of leaving the contact's channel: tired customers do, and those whom the action bores."""
    taste = np.take_along_axis(traits.taste, commerce.category[action], axis=1)
    tired = traits.touchiness * (1 + state.fatigue) + 0.8 * state.ticket
    return logistic(-5.2 + 2.0 * tired[:, None] - 0.6 * taste)


def lift_gain(traits: Traits, state: State, commerce: Commerce, action: Ints) -> Floats:
    """(n, j) that opening `action` (n, j) adds to the lift, worn out by repeats and by fatigue."""
    taste = np.take_along_axis(traits.taste, commerce.category[action], axis=1)
    appeal = np.exp(taste + 2.5 * traits.thrift[:, None] * commerce.discount[action])
    wear = np.take_along_axis(state.wear, action, axis=1)
    tired = (traits.touchiness * state.fatigue)[:, None]
    gain: Floats = np.minimum(LIFT_SCALE * appeal, LIFT_MOST) * np.exp(-WEAR_OUT * wear - tired)
    return gain


def fatigue_gain(state: State) -> Floats:
    """(n,) that one contact adds: twice as much while a ticket is open."""
    gain: Floats = 1.0 + state.ticket.astype(np.float64)
    return gain


def day_probability(
    rate: Floats, stage: Floats, weekday: float, lift: Floats, touchiness: Floats, fatigue: Floats
) -> Floats:
    """Of at least one visit, or one purchase, in a day; `stage` is that stage's factor. Broadcasts."""
    intensity = rate * stage * weekday * (1 + lift) * np.exp(-touchiness * fatigue)
    return -np.expm1(-intensity)


def churn_probability(churn: Floats, stage: Floats, touchiness: Floats, fatigue: Floats) -> Floats:
    """Of leaving for good at the end of a day; `stage` is that stage's factor. Broadcasts."""
    return np.minimum(churn * stage * np.exp(1.5 * touchiness * fatigue), 0.2)
