"""A decision's reward: the worth of everything its customer did in the window after it, less its cost.

    r = clip(Σ_o cap_o(Σ worth of outcomes of type o at t, decided_at ≤ t < decided_at + window_o)) − cost

The same clock for every arm, silence included, whether or not an outcome names the decision. A reward is
mature once the objectives' window has closed and late reports have had their time to `settle`; before that it
is not known, which is not zero.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nba.playbook.compile import Playbook
from nba.playbook.schema import Objectives
from nba.rewards.outcomes import Outcomes, added_together, window_of
from nba.rewards.outcomes import worth as worth
from nba.rewards.timeline import Timeline, span_sums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rewards:
    """Rewards of n decisions, in currency.

    Attributes:
        reward: (n,) NaN where not mature.
        mature: (n,) which are.
        early: (n,) the same sum over what is known so far; where mature it is the reward.
        elapsed: (n,) seconds from the decision to `as_of`.
        overlaps: (n,) how many other contacts of the customer fall in the decision's window.
    """

    reward: Floats
    mature: Bools
    early: Floats
    elapsed: Floats
    overlaps: Ints


def reward_version(playbook: Playbook) -> str:
    """What rewards mean under a playbook: twelve hex digits of SHA-256 over objectives and contact costs.

    Two playbooks that differ in other things, or in how they write the same, have the same.
    """
    spec = (playbook.base or playbook).spec
    objectives = spec.objectives.model_dump(mode="json")
    for type, outcome in objectives["outcomes"].items():
        outcome["window"] = window_of(spec.objectives, type)
    costs = {
        "actions": {name: action.cost for name, action in spec.actions.items() if action.cost},
        "channels": {name: channel.cost for name, channel in spec.channels.items() if channel.cost},
        "catalogue": spec.catalogue.cost,
    }
    text = json.dumps({"objectives": objectives, "costs": costs}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def rewards(
    objectives: Objectives,
    *,
    customer: pl.Series,
    decided_at: Floats,
    cost: Floats,
    touchpoints: pl.DataFrame,
    as_of: float,
    settle: float = 0.0,
    contact: Bools | None = None,
) -> Rewards:
    """Rewards of n decisions.

    Args:
        customer: n customers, as `touchpoints` names them.
        decided_at: (n,) epoch seconds.
        cost: (n,) what the contact cost; 0 for no contact.
        touchpoints: frame of customer, type, occurred_at (epoch seconds), value; any order.
        as_of: what is known: outcomes before this moment. A window that ends later is not mature.
        settle: seconds after the window's end until a reward is mature.
        contact: (n,) which decisions are contacts that were sent; by default those that cost something.
    """
    known = Outcomes.of(objectives, customer, touchpoints, as_of)
    early = earned(objectives, known, decided_at) - cost
    mature = decided_at + objectives.window + settle <= as_of
    return Rewards(
        reward=np.where(mature, early, np.nan),
        mature=mature,
        early=early,
        elapsed=as_of - decided_at,
        overlaps=overlaps(
            known.decider, decided_at, cost > 0 if contact is None else contact, objectives.window
        ),
    )


def earned(objectives: Objectives, known: Outcomes, decided_at: Floats) -> Floats:
    """(n,) what outcomes add up to after each decision of the deciders: capped by type, then clipped."""
    total = np.zeros(len(decided_at))
    order = np.lexsort((decided_at, known.decider))  # near windows look at near rows
    decider, start = known.decider[order], decided_at[order]
    for types, window, cap in added_together(objectives):
        timeline, worths = known.timeline(types)
        sums = span_sums(worths, *timeline.within(decider, start, window))
        total[order] += sums if cap is None else np.clip(sums, -cap, cap)
    return total if objectives.clip is None else np.clip(total, *objectives.clip)


def overlaps(customer: Ints, decided_at: Floats, contact: Bools, window: float) -> Ints:
    """(n,) how many other contacts were decided on for the customer in [decided_at, decided_at + window)."""
    order = np.lexsort((decided_at, customer))
    sent = order[contact[order]]
    timeline = Timeline.of(customer[sent], decided_at[sent], int(customer.max(initial=-1)) + 1)
    first, end = timeline.within(customer[order], decided_at[order], window)
    others = np.empty_like(first)
    others[order] = end - first - contact[order]
    return others
