"""A learner on a shop in memory: the loop without its process, and health that finds nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from experiments.tracking import Tracker
from nba.artefacts import Artefacts
from nba.live import LiveSource
from nba.playbook.compile import Playbook
from nba.stores.ports import Lease, Store
from tests.service.business import DAY, NOON, Business
from tests.training.policy.shop import TEXT, Worth, open_shop, trade
from training.learn.loop import Loop
from training.learn.steps import Step
from training.policy.retrain import Settings
from training.quarantine import Quarantine

RAMPED = TEXT.replace("n_psi: 4}", "n_psi: 4, ramp: {steps: [0.1, 0.5], customers: 20}}").replace(
    "touchpoints: [visit, purchase]", "touchpoints: [visit, purchase, unsubscribed]"
)
GUARDED = RAMPED.replace(
    "customers: 20}}",
    "customers: 20}, guardrails: [{name: leaving, count: unsubscribed, within: 1d, most: 0.2, rise: 0.5}]}",
)
LEARNING = "\nlearning: {update: 200, retrain: 90d}"


@dataclass
class Healthy:
    """Nothing is ever wrong, but for what a test puts here."""

    found: list[Quarantine] = field(default_factory=list)

    def outcomes(self, as_of: float) -> list[Quarantine]:
        found, self.found = self.found, []
        return found

    def due(self, as_of: float, lease: Lease) -> None:
        return None

    def retrains(self, report: object) -> bool:
        return False


@dataclass
class Learning:
    """A shop, its server's policy kept up to date, and the loop that learns from it."""

    business: Business
    loop: Loop
    artefacts: Artefacts
    steps: list[Step]
    health: Healthy
    days: float = 0.0

    @classmethod
    def of(cls, folder: Path, tracker: Tracker, text: str = TEXT + LEARNING) -> Learning:
        business, steps, health = open_shop(text=text), list[Step](), Healthy()
        artefacts = Artefacts(folder / "artefacts")
        loop = Loop(
            store=business.store,
            artefacts=artefacts,
            playbook=business.live.current.playbook,
            tracker=tracker,
            settings=Settings(folds=2, learners=("ridge",)),
            health=health,
            tell=steps.append,
        )
        return cls(business=business, loop=loop, artefacts=artefacts, steps=steps, health=health)

    @property
    def store(self) -> Store:
        return self.business.store

    @property
    def playbook(self) -> Playbook:
        return self.loop.playbook

    def lease(self) -> Lease:
        lease = self.store.lease("learn", "a test", time.time(), 60.0)
        assert lease is not None
        return lease

    def trade(self, customers: int, worth: Worth, day: int, seed: int = 0) -> float:
        """Under what serves now; the moment after it."""
        source = LiveSource(
            playbook=self.playbook, store=self.store, artefacts=self.artefacts, alert=lambda *_: None
        )
        source.refresh(0.0)
        self.business.live.current = source.current
        return trade(self.business, customers, worth, day=day, seed=seed)

    def learn(self, day: float) -> bool:
        return self.loop.learn(NOON + day * DAY, self.lease())

    def watch(self, day: float) -> bool:
        return self.loop.watch(NOON + day * DAY, self.lease())

    def events(self) -> list[str]:
        return [step.event for step in self.steps]
