"""The exact expected reward of every arm over the reward window, with nothing drawn.

    Q(i, a) = P(open)·(V(opened a) + 0.05) + P(not)·V(unopened) − 4·P(unsubscribe) − cost(a)
    V = Σ_d Σ_s p_d(s) · P(purchase | s, lift_d, fatigue_d) · basket · (1 − rebate_d)

Given whether the contact was opened, fatigue, lift and rebate decay deterministically, and the stage is a
Markov chain that loses mass to churn: p_{d+1} = (1 − churn) · Σ_event p_d(s) P(event | s) MOVE[event]. So the
sum is exact. No contact follows within the window. The reward's clip is left out, since it never binds.
"""

from __future__ import annotations

import numpy as np

from experiments.simulate import dynamics
from experiments.simulate.commerce import NO_CONTACT, Floats
from experiments.simulate.dynamics import State
from experiments.simulate.traits import Traits
from experiments.simulate.world import World

STILL, UNOPENED, OPENED = 0, 1, 2  # branches: no contact; one that stays unopened; then one per opened action


def expected_reward(world: World, state: State, day: int) -> Floats:
    """(n, k) true expected reward of each arm sent on `day`, within its timing, then silence.

    In the playbook's currency, net of cost. An arm without consent is worth what `no_contact` is, since it is
    not delivered; a contact to a customer who has churned is worth minus its cost.
    """
    commerce, traits, n = world.commerce, world.traits, world.customers
    action = np.broadcast_to(commerce.action, (n, len(world.arms)))
    channel = np.broadcast_to(commerce.channel, action.shape)
    branches = _branches(world, state, day)
    opens = dynamics.open_probability(traits, state, channel, traits.daypart[:, commerce.timing])
    leaves = dynamics.unsubscribe_probability(traits, state, commerce, action)
    value = opens * (branches[:, OPENED + commerce.action] + commerce.opened)
    value += (1 - opens) * branches[:, [UNOPENED]] + commerce.unsubscribed * leaves
    contacted = np.where(state.alive[:, None], value, 0.0) - commerce.cost
    still = np.where(state.alive, branches[:, STILL], 0.0)[:, None]
    contacted[:, NO_CONTACT] = still[:, 0]
    return np.where(world.eligible(state), contacted, still)


def _branches(world: World, state: State, day: int) -> Floats:
    """(n, 2 + actions) expected spend over the window in each branch, of a customer who is there."""
    commerce, n = world.commerce, world.customers
    actions = np.broadcast_to(np.arange(len(commerce.actions)), (n, len(commerce.actions)))
    gain = dynamics.lift_gain(world.traits, state, commerce, actions)
    nothing = np.zeros((n, OPENED))
    lift = state.lift[:, None] + np.hstack([nothing, gain])
    rebate = np.maximum(state.rebate[:, None], np.hstack([nothing, commerce.discount[actions]]))
    contacted = np.arange(lift.shape[1]) != STILL
    fatigue = state.fatigue[:, None] + dynamics.fatigue_gain(state)[:, None] * contacted
    return _spend(world.traits, state, lift, fatigue, rebate, day, commerce.window_days)


def _spend(
    traits: Traits, state: State, lift: Floats, fatigue: Floats, rebate: Floats, day: int, days: int
) -> Floats:
    """(n, b) expected spend over `days` days when lift, fatigue, rebate (n, b) only decay from here."""
    mass = np.zeros((*lift.shape, len(dynamics.STAGES)))
    mass[np.arange(len(mass)), :, state.stage] = 1.0
    touchiness = traits.touchiness[:, None, None]
    spend = np.zeros_like(lift)
    for d in range(days):
        weekday = float(dynamics.WEEKDAY[(day + d) % 7])
        up, tired = lift[..., None], fatigue[..., None]
        buys = dynamics.day_probability(
            traits.purchases[:, None, None], dynamics.BUY_STAGE, weekday, up, touchiness, tired
        )
        comes = dynamics.day_probability(
            traits.visits[:, None, None], dynamics.VISIT_STAGE, weekday, up, touchiness, tired
        )
        spend += (mass * buys).sum(axis=2) * (1 - rebate) * traits.basket[:, None]
        leaves = dynamics.churn_probability(
            traits.churn[:, None, None], dynamics.CHURN_STAGE, touchiness, tired
        )
        events = ((1 - buys) * (1 - comes), (1 - buys) * comes, buys)  # nothing, visit, purchase
        stays = mass * (1 - leaves)
        mass = sum((stays * p @ move for p, move in zip(events, dynamics.MOVE, strict=True)), np.zeros(4))
        lift, rebate = lift * dynamics.LIFT_KEEP, rebate * dynamics.REBATE_KEEP
        fatigue = fatigue * dynamics.FATIGUE_KEEP
    return spend
