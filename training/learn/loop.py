"""The loop: what is done each time, in which order, under the lease. Knows no threads and no clocks.

`watch` is quick and is done every few seconds: it takes back what breaks a guardrail or is shown to be worse,
and moves a ramp on. `learn` may take minutes: it looks at health, retrains or freshens, and sends what
MLflow still lacks. While a ramp runs nothing new is trained: one change at a time, so that what is seen
can be put down to it. Whatever either has published is in the audit table with its reason.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from experiments.backlog import Backlog
from nba.artefacts import Artefacts
from nba.errors import InvalidInput, NotEnoughData
from nba.playbook.compile import Playbook
from nba.standing import ROLLED_BACK, standing
from nba.stores.ports import Lease, Store
from training import quarantine
from training.learn import steps
from training.learn.due import Pulse, full_due, update_due
from training.learn.freshen import Sums, advance, can_freshen, judged, start
from training.learn.steps import WHO, Step
from training.learn.trial import on_trial
from training.learn.waiting import waiting
from training.policy.budget import noted
from training.policy.champion import POLICY, anchor, serving_champion
from training.policy.judged import Champion
from training.policy.judging import Bench
from training.policy.publishing import align, mark, publish
from training.policy.register import register
from training.policy.retrain import Settings, retrain
from training.quarantine import Quarantine

if TYPE_CHECKING:
    from experiments.tracking import Tracker
    from training.health.report import HealthReport

Tell = Callable[[Step], None]


class Health(Protocol):
    """Looks for drift, and for outcomes that can't be right; `training.health` does.

    What it has given once it does not give again.
    """

    def outcomes(self, as_of: float) -> list[Quarantine]:
        """Times whose outcomes are not to be believed, new ones."""

    def due(self, as_of: float, lease: Lease) -> HealthReport | None:
        """The report that is due, noted and told; None where none is."""

    def retrains(self, report: HealthReport) -> bool:
        """Whether it calls for a retraining."""


@dataclass(slots=True, kw_only=True)
class Loop:
    """One learner on one store. What it remembers can be made anew from the store.

    Attributes:
        settings: of full retrainings.
        health: looks for drift and for outcomes that can't be right.
        tell: is told of each step.
        told: how many steps it was told of.
        begins: is told before all learners compete, which may take minutes and much memory.
    """

    store: Store
    artefacts: Artefacts
    playbook: Playbook
    tracker: Tracker
    settings: Settings
    health: Health
    tell: Tell
    told: int = 0
    begins: Callable[[], None] = lambda: None
    _pulse: Pulse | None = None
    _sums: Sums | None = None
    _drifted: bool = False
    _variants: dict[str, float] = field(default_factory=dict)

    def watch(self, as_of: float, lease: Lease) -> bool:
        """Look after what serves; True where something changed.

        Raises:
            Conflict: the lease is no longer ours.
        """
        trial = on_trial(self.store)
        if trial is None:
            return False
        about: dict[str, Any] = {"as_of": as_of, "lease": lease}
        step = (
            steps.guard(self.store, self.playbook, trial, **about)
            or steps.value(self.store, self.artefacts, self.playbook, trial, **about)
            or steps.ramp(self.store, self.playbook, trial, **about)
        )
        if step is None:
            return False
        self._sums = None  # they were the sums of another champion
        self._told(step)
        return True

    def learn(self, as_of: float, lease: Lease) -> bool:
        """Learn what has matured; True where something was published or tried.

        Raises:
            Conflict: the lease is no longer ours, or what serves changed meanwhile.
        """
        self._look_at_health(as_of, lease)
        self._pulse = (
            Pulse.of(self.store, self.playbook, as_of=as_of)
            if self._pulse is None
            else self._pulse.advanced(self.store, self.playbook, as_of=as_of)
        )
        done = False
        if standing(self.store).tried is None:
            why = full_due(self._pulse, self.playbook, as_of=as_of, drifted=self._drifted)
            if why is not None:
                done = self._retrain(as_of, lease, why)
            elif update_due(self._pulse, self.playbook):
                done = self._freshen(as_of, lease)
        self._own_policies(as_of, lease)
        return done

    def waits(self, as_of: float) -> Step:
        """What it waits for, where `learn` found nothing to do."""
        pulse = self._pulse or Pulse.of(self.store, self.playbook, as_of=as_of)
        return waiting(self.store, self.artefacts, self.playbook, pulse, as_of=as_of)

    def send(self) -> int:
        """Send what MLflow still lacks; how many runs were sent. MLflow may be down."""
        sent = Backlog(self.store).drain(self.tracker)
        align(self.tracker, self.store, self.playbook)
        return sent

    def _look_at_health(self, as_of: float, lease: Lease) -> None:
        for found in self.health.outcomes(as_of):
            quarantine.put(self.store, found, at=as_of, lease=lease)
            self._sums = None  # what was learned from them is not believed any more
            self._told(Step(event="quarantined", said=found.why, fields={"type": found.type}))
        report = self.health.due(as_of, lease)
        if report is not None and self.health.retrains(report):
            self._drifted = True

    def _retrain(self, as_of: float, lease: Lease, why: str, scope: str = POLICY) -> bool:
        """All learners compete; what they came to is told, whatever it is."""
        shadow = self.settings.shadow and scope == POLICY
        settings = replace(self.settings, who=WHO, shadow=shadow, scope=scope)
        self.begins()
        try:
            result = retrain(
                self.store,
                self.artefacts,
                self.playbook,
                self.tracker,
                as_of=as_of,
                settings=settings,
                lease=lease,
            )
        except (NotEnoughData, InvalidInput) as error:
            self._told(Step(event="not_retrained", said=str(error), fields={"why": why}))
            self._pulse = self._pulse.full(as_of) if self._pulse and scope == POLICY else self._pulse
            return False
        if scope == POLICY:
            self._pulse = self._pulse.full(as_of) if self._pulse else None
            self._drifted = False
        made = result.publication
        if made is not None and scope == POLICY:
            self._sums = None  # another champion, over other columns
        said = f"{result.specification} was {'published' if made else 'refused'}: {result.verdict.reason}"
        fields = {"why": why, "scope": scope, "policy": made.name if made else None}
        self._told(Step(event="retrained", said=said, fields=fields))
        return True

    def _freshen(self, as_of: float, lease: Lease) -> bool:
        """Bring the champion up to date, where its learner can."""
        seen = mark(self.store)
        champion = serving_champion(self.store, self.artefacts, self.playbook)
        if not can_freshen(champion) or _taken_back(self.store):
            return False
        sums = self._sums = self._summed(champion, as_of)
        self._pulse = self._pulse.updated() if self._pulse else None
        bench = Bench(
            store=self.store,
            playbook=self.playbook,
            champion=champion,
            anchor=anchor(self.store, self.artefacts, self.playbook, champion),
            as_of=as_of,
        )
        try:
            found = judged(bench, sums, seed=self.settings.seed)
        except (NotEnoughData, InvalidInput) as error:
            self._told(Step(event="not_freshened", said=str(error), fields={}))
            return False
        verdict = found.verdict
        if not verdict.promoted:
            fields = {"still_needed": verdict.still_needed}
            self._told(Step(event="not_freshened", said=verdict.reason, fields=fields))
            return True
        self.artefacts.write(found.artefact)
        Backlog(self.store).deliver(self.tracker, register(found))  # its evidence first
        made = publish(self.store, found, who=WHO, scope=POLICY, seen=seen, lease=lease)
        self._told(
            Step(
                event="freshened",
                said=f"{made.name} serves: {verdict.reason}",
                fields={"policy": made.name, "rows": found.artefact.manifest.rows},
            )
        )
        return True

    def _summed(self, champion: Champion, as_of: float) -> Sums:
        """The sums through now, begun anew where the champion's encoder is another or trust has changed."""
        model = champion.policy.model  # type: ignore[attr-defined]
        quarantined = [(q.type, q.start, q.end) for q in quarantine.in_force(self.store)]
        columns = hashlib.sha256(b"".join(a.tobytes() for a in model.encoder.arrays().values())).hexdigest()
        basis = f"{columns} {self.playbook.version} {quarantined}"
        if self._sums is None or self._sums.basis != basis:
            return start(self.store, self.playbook, champion, basis, as_of=as_of)
        return advance(self.store, self.playbook, self._sums, as_of=as_of)

    def _own_policies(self, as_of: float, lease: Lease) -> None:
        """Policies that experiments train on a variant's own customers, on the schedule of full ones."""
        for experiment in self.playbook.spec.experiments:
            running = experiment.exposes_from <= as_of < experiment.exposes_until
            for name, variant in experiment.variants.items():
                scope = f"variant.{experiment.name}.{name}"
                last = max(self._variants.get(scope, float("-inf")), _tried_at(self.store, scope))
                if not running or variant.policy != "own" or as_of - last < self._every():
                    continue
                self._variants[scope] = as_of
                self._retrain(as_of, lease, "an experiment's own policy", scope)

    def _every(self) -> float:
        return self.playbook.spec.learning.retrain

    def _told(self, step: Step) -> None:
        self.told += 1
        self.tell(step)


def _taken_back(store: Store) -> bool:
    """Whether what serves came by a rollback: a refresh would bring back much of what was taken away."""
    champion = standing(store).champion
    return champion is not None and ROLLED_BACK in champion.evidence


def _tried_at(store: Store, scope: str) -> float:
    """When a policy of this scope was last tried."""
    return max(
        (row.at for row in noted(store) if orjson.loads(row.body)["scope"] == scope), default=-math.inf
    )
