"""A policy of the engine as a policy of the world, so that its true value can be known.

The real core decides: features from folded states, eligibility by the playbook's contact rules, odds by the
policy itself. Only the server and its store are left out. It sees no more than the server would be told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.simulate import Moment, World, customer_ids, day_start
from nba.contact.caps import PURPOSES, Ledger
from nba.contact.eligibility import Gatekeeper, Situation
from nba.features.layout import Layout
from nba.features.offline import snapshot
from nba.features.rows import assemble
from nba.features.state import States, Touchpoints
from nba.journey.scores import ScoreModels
from nba.playbook.compile import Playbook
from nba.playbook.declaration import CONTACT
from nba.policies.policy import Policy
from training.demo.past import MARKETING, attributes, contexts

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Choose = Callable[[Floats, Bools, Moment], Floats]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """What is known of all n customers of a world at the start, under a playbook.

    Attributes:
        arms: (k,) for each arm of the world, where it stands in the playbook's arm table.
        states: n feature states, folded from the record.
    """

    world: World
    playbook: Playbook
    scores: ScoreModels | None
    arms: Ints
    states: States

    @classmethod
    def of(cls, world: World, playbook: Playbook, record: pl.DataFrame, scores: ScoreModels | None) -> Ground:
        """From the record as `past` gives it. Raises KeyError for an arm that it lacks."""
        ids, known = snapshot(record, playbook.schema)
        layout = Layout.of(playbook.schema)
        position = {customer: i for i, customer in enumerate(ids)}
        rows = [position.get(c, len(ids)) for c in customer_ids(np.arange(world.customers))]
        return cls(
            world=world,
            playbook=playbook,
            scores=scores,
            arms=np.array([playbook.arms.find(*arm) for arm in world.arms]),
            states=States.concat([known, States.empty(layout, 1)]).take(rows),
        )


class Deployed:
    """A policy of the world that decides with the engine's core. It remembers: one for one run."""

    def __init__(self, ground: Ground, choose: Choose) -> None:
        """`choose` is told features (n, F), eligible arms (n, k) and the moment, and gives odds (n, k)."""
        self._ground = ground
        self._choose = choose
        self._gatekeeper = Gatekeeper(ground.playbook)
        self._states = ground.states
        self._attributes = attributes(ground.world)
        self._contexts = contexts(ground.world)
        self._sent: list[tuple[Floats, Ints]] = []  # when (n,) and which arm (n,), by decision; NaN for none
        self._planned = np.empty((0, 0))

    def __call__(self, moment: Moment) -> Floats:
        """(n, k) odds over the world's arms."""
        self._remember(moment)
        features, situation = self.situation(moment)
        verdict = self._gatekeeper.judge(situation)
        self._planned = verdict.send_at
        return self._choose(features, verdict.eligible, moment)[:, self._ground.arms]

    def situation(self, moment: Moment) -> tuple[Floats, Situation]:
        """What the core looks at in this moment: features (n, F), and what the contact rules ask."""
        ground, n = self._ground, self._ground.world.customers
        playbook, now = ground.playbook, np.full(n, moment.at)
        zones = [str(known["timezone"]) for known in self._attributes]
        features = assemble(
            playbook,
            states=self._states,
            now=now,
            zones=zones,
            attributes=self._attributes,
            context=self._contexts,
            scores=ground.scores,
        )
        return features, Situation(
            now=now,
            zones=zones,
            features=features,
            consent=self._consent(moment),
            ledger=self._ledger(),
            asked_actions=np.ones((n, len(playbook.arms.actions)), dtype=np.bool_),
            asked_channels=np.ones((n, len(playbook.arms.channels)), dtype=np.bool_),
            holdout=np.zeros(n, dtype=np.bool_),
        )

    def _consent(self, moment: Moment) -> Bools:
        """(n, purposes, channels): the world's consent is for marketing."""
        commerce, channels = self._ground.world.commerce, self._ground.playbook.arms.channels
        consent = np.zeros((len(moment.eligible), len(PURPOSES), len(channels)), dtype=np.bool_)
        for channel, name in enumerate(commerce.channels):
            arm = int(np.flatnonzero(commerce.channel[1:] == channel)[0]) + 1
            consent[:, PURPOSES.index(MARKETING), channels.index(name)] = moment.eligible[:, arm]
        return consent

    def _ledger(self) -> Ledger:
        n, table = self._ground.world.customers, self._ground.playbook.arms
        at = np.column_stack([sent for sent, _ in self._sent]) if self._sent else np.empty((n, 0))
        arm = (
            np.column_stack([arm for _, arm in self._sent])
            if self._sent
            else np.empty((n, 0), dtype=np.int64)
        )
        names = [action.category for action in self._ground.playbook.spec.actions.values()]
        categories = [table.categories.index(n) if n in table.categories else -1 for n in names]
        return Ledger(
            at=at,
            channel=table.channel[arm],
            purpose=np.where(arm > 0, PURPOSES.index(MARKETING), -1),
            action=table.action[arm],
            category=np.array([*categories, -1])[table.action[arm]],
            priority=table.priority[arm],
            reserved=np.zeros(at.shape, dtype=np.bool_),  # a week later all is sent
            ids=tuple(("",) * at.shape[1] for _ in range(n)),
        )

    def _remember(self, moment: Moment) -> None:
        """Fold what happened since the last decision: the contacts made then, and all touchpoints."""
        if not moment.since:
            return
        tried = moment.since[0]
        arm = self._ground.arms[tried.arm]
        sent = np.where(arm > 0, self._planned[np.arange(len(arm)), arm], np.nan)
        self._sent.append((sent, arm))
        self._states = self._states.fold(_contacts(self._ground, arm, day_start(tried.day)))
        self._states = self._states.fold(_touchpoints(self._ground, moment.touchpoints()))


def as_served(policy: Policy) -> Choose:
    """The policy's own odds, exploration included."""
    return lambda features, eligible, moment: policy.choose(features, eligible).odds


def _contacts(ground: Ground, arm: Ints, at: float) -> Touchpoints:
    table, rows = ground.playbook.arms, np.flatnonzero(arm > 0)
    return Touchpoints.of(
        ground.playbook.schema,
        row=rows,
        type=[CONTACT] * len(rows),
        channel=[table.channels[c] for c in table.channel[arm[rows]]],
        action=[table.actions[a] for a in table.action[arm[rows]]],
        at=np.full(len(rows), at),
        value=np.ones(len(rows)),
    )


def _touchpoints(ground: Ground, events: pl.DataFrame) -> Touchpoints:
    return Touchpoints.of(
        ground.playbook.schema,
        row=events["customer_id"].str.slice(2).cast(pl.Int64).to_numpy(),
        type=events["type"].to_list(),
        channel=events["channel"].to_list(),
        action=[None] * len(events),
        at=events["occurred_at"].dt.epoch("us").to_numpy() / 1e6,
        value=events["value"].to_numpy(),
    )
