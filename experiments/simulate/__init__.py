"""The built-in world: customers whose true response is known, so any policy's true value is too.

It shares no code with the engine that it judges, except the error tree.
"""

from experiments.simulate.calendar import DAY, EPOCH, day_start
from experiments.simulate.commerce import NO_CONTACT, PLAYBOOK, Arm, Commerce, read_commerce
from experiments.simulate.dynamics import STAGES, State
from experiments.simulate.expectation import expected_reward
from experiments.simulate.history import History, history
from experiments.simulate.policies import Moment, Policy, always, draw, oracle, oracle_odds, uniform
from experiments.simulate.response import TOUCHPOINTS, Response, customer_ids
from experiments.simulate.traits import Traits
from experiments.simulate.value import Value, deployed_value, one_step_value
from experiments.simulate.voice import answers, complaints, reviews
from experiments.simulate.world import World

__all__ = [
    "DAY",
    "EPOCH",
    "NO_CONTACT",
    "PLAYBOOK",
    "STAGES",
    "TOUCHPOINTS",
    "Arm",
    "Commerce",
    "History",
    "Moment",
    "Policy",
    "Response",
    "State",
    "Traits",
    "Value",
    "World",
    "always",
    "answers",
    "complaints",
    "customer_ids",
    "day_start",
    "deployed_value",
    "draw",
    "expected_reward",
    "history",
    "one_step_value",
    "oracle",
    "oracle_odds",
    "read_commerce",
    "reviews",
    "uniform",
]
