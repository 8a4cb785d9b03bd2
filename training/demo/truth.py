"""What each policy is truly worth in the built-in world, on customers whom none of them was trained on.

Two values, both per customer in the playbook's currency. Deployed: everything earned in some weeks of weekly
decisions, carry-over, fatigue and churn included; all policies meet the same customers, from the same start,
with the same luck. One step: the exact expectation of the reward window after one decision, then silence.

    regret closed = (V(policy) − V(uniform)) / (V(oracle) − V(uniform))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.simulate import (
    Moment,
    State,
    Value,
    World,
    deployed_value,
    expected_reward,
    history,
    oracle_odds,
)
from nba.journey.scores import ScoreModels
from nba.playbook.arms import NO_CONTACT
from nba.playbook.compile import Playbook
from nba.policies.explore import Tree
from nba.policies.policy import Policy
from nba.policies.served import ConstantPolicy, IncumbentPolicy, UniformPolicy
from training.demo.deployed import Bools, Choose, Deployed, Floats, Ground, as_served
from training.demo.past import past

UNIFORM, SINGLE, INCUMBENT, ORACLE = "uniform", "best single arm", "incumbent rule", "oracle"
_CONTENDERS = 4  # single arms that are worth deploying, by their one-step values
_LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A share of the regret, with the interval of the ratio over customers (delta method)."""

    share: float
    low: float
    high: float

    @classmethod
    def of(cls, policy: Floats, uniform: Floats, oracle: Floats) -> Closed:
        """From what each customer (n,) earned under each of the three."""
        gain, room = policy - uniform, oracle - uniform
        share = float(gain.mean() / room.mean())
        spread = float((gain - share * room).std(ddof=1)) / len(gain) ** 0.5 / abs(float(room.mean()))
        half = NormalDist().inv_cdf(0.5 + _LEVEL / 2) * spread
        return cls(share=share, low=share - half, high=share + half)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Worth:
    """One policy's true values. `note` says which arm, or which policy, it is."""

    name: str
    note: str
    deployed: Value
    one_step: Value
    contacts: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judges:
    """Other customers of the same world, with a past of their own, on whom policies are tried.

    Attributes:
        weeks: of weekly decisions, the deployed value's length.
        seed: of the luck that all policies meet.
    """

    ground: Ground
    start: State
    weeks: int
    seed: int

    @classmethod
    def of(
        cls,
        playbook: Playbook,
        scores: ScoreModels | None,
        *,
        customers: int,
        days: int,
        weeks: int,
        seed: int,
    ) -> Judges:
        """`days` of history each; no random number is shared with a world of another seed."""
        world = World.create(seed, customers)
        record = history(world, days, seed)
        ground = Ground.of(world, playbook, past(world, record, days), scores)
        return cls(ground=ground, start=record.state, weeks=weeks, seed=seed)

    def worth(self, name: str, choose: Choose, note: str = "") -> Worth:
        """Deploy a policy, and value its first step exactly."""
        first = Deployed(self.ground, choose)(self.moment)
        deployed = deployed_value(
            self.ground.world, Deployed(self.ground, choose), self.start, days=7 * self.weeks, seed=self.seed
        )
        return Worth(
            name=name,
            note=note,
            deployed=deployed,
            one_step=Value.of((first * self.expected).sum(axis=1)),
            contacts=float(1 - first[:, 0].mean()),
        )

    @property
    def moment(self) -> Moment:
        """The first decision."""
        world = self.ground.world
        return Moment(world=world, day=0, state=self.start, eligible=world.eligible(self.start))

    @property
    def expected(self) -> Floats:
        """(n, k) true one-step values of the world's arms at the start."""
        return expected_reward(self.ground.world, self.start, 0)


def table(
    judges: Judges, learned: Sequence[tuple[str, Policy, str]], advance: Callable[[int], object]
) -> list[Worth]:
    """The reference policies and the learned ones, worst reference first, the oracle last.

    Args:
        learned: name, policy and note of each.
    """
    playbook, rows = judges.ground.playbook, []
    for name, choose, note in [
        (UNIFORM, as_served(UniformPolicy.of(playbook)), "every eligible action, channel and timing alike"),
        (INCUMBENT, as_served(replace(IncumbentPolicy.of(playbook), floor=0.0)), "the playbook's rules"),
        *((name, as_served(policy), note) for name, policy, note in learned),
        (ORACLE, oracle(judges.ground), "knows the hidden state"),
    ]:
        rows.append(judges.worth(name, choose, note))
        advance(1)
    rows.insert(1, best_single_arm(judges, advance))
    return rows


def steps(learned: int) -> int:
    """How often `table` calls `advance`."""
    return 3 + learned + _CONTENDERS + 1


def best_single_arm(judges: Judges, advance: Callable[[int], object]) -> Worth:
    """The arm with the highest deployed value, silence included, given to everybody who may get it."""
    arms = judges.ground.playbook.arms
    one_step = judges.expected.mean(axis=0)
    order = judges.ground.arms[np.argsort(-one_step[1:])[:_CONTENDERS] + 1].tolist()
    tried = []
    for arm in [arms.index[NO_CONTACT], *order]:
        policy = ConstantPolicy(tree=Tree.of(arms), arm=arm, floor=0.0)
        tried.append(judges.worth(SINGLE, as_served(policy), arms.name(arm)))
        advance(1)
    return max(tried, key=lambda worth: worth.deployed.mean)


def oracle(ground: Ground) -> Choose:
    """The eligible arm with the highest true one-step value; it plans no further ahead."""

    def choose(features: Floats, eligible: Bools, moment: Moment) -> Floats:
        expected: NDArray[np.float64] = np.full(eligible.shape, -np.inf)
        expected[:, ground.arms] = expected_reward(moment.world, moment.state, moment.day)
        return oracle_odds(np.where(eligible, expected, -np.inf))

    return choose


def closed(rows: Sequence[Worth], worth: Worth) -> tuple[Closed, Closed]:
    """The regret that a policy closes: deployed, and in one step."""
    uniform, best = (next(row for row in rows if row.name == name) for name in (UNIFORM, ORACLE))
    deployed, one_step = (
        Closed.of(*(getattr(row, value).totals for row in (worth, uniform, best)))
        for value in ("deployed", "one_step")
    )
    return deployed, one_step


def as_json(rows: Sequence[Worth]) -> list[dict[str, Any]]:
    """One object a policy: name, value, low, high of the deployed value, and the rest."""
    written = []
    for row in rows:
        deployed, one_step = closed(rows, row)
        written.append(
            {
                "name": row.name,
                "note": row.note,
                "value": row.deployed.mean,
                "low": row.deployed.low,
                "high": row.deployed.high,
                "regret_closed": {"share": deployed.share, "low": deployed.low, "high": deployed.high},
                "one_step": {"value": row.one_step.mean, "low": row.one_step.low, "high": row.one_step.high},
                "one_step_regret_closed": {
                    "share": one_step.share,
                    "low": one_step.low,
                    "high": one_step.high,
                },
                "contacts": row.contacts,
            }
        )
    return written
