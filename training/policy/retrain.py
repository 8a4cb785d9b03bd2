"""Retrain: mature rewards → a candidate → off-policy judgement → MLflow → champion, or what was missing.

Treatment customers train; random-eligible ones only judge (invariant 6). The candidate is valued out of
fold by customer, the serving champion as it is, both on decisions later than the champion's training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.backlog import Backlog
from nba.artefacts import Artefacts
from nba.errors import Conflict
from nba.playbook.compile import Playbook
from nba.policies.artefact import seal
from nba.policies.learners import LEARNERS
from nba.policies.lesson import Settings as LearnerSettings
from nba.record import timestamp
from nba.standing import standing
from nba.stores.ports import Lease, Publication, Store
from training.policy.champion import POLICY, anchor, serving_champion
from training.policy.crossing import Chosen, cross_choose
from training.policy.gate import Verdict
from training.policy.judged import Judged
from training.policy.judging import Bench, best_that_passes
from training.policy.learnable import enough, learnable
from training.policy.log import DecisionLog
from training.policy.publishing import align, look_on, mark, note, publish
from training.policy.register import register
from training.policy.selection import best_constant, fit_policy

if TYPE_CHECKING:
    from experiments.tracking import Tracker


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to retrain.

    Attributes:
        learners: the specifications that compete, beside the best constant.
        shadow: a candidate that is not promoted looks on as challenger: it is asked at every decision and
            changes none.
        scope: `policy`, or `variant.<experiment>.<variant>` for an experiment's own policy.
        tuned: learners' settings that are not the defaults, as `nba tune` finds them.
    """

    folds: int = 3
    seed: int = 0
    learners: tuple[str, ...] = tuple(LEARNERS)
    who: str = "nba retrain"
    shadow: bool = False
    scope: str = POLICY
    tuned: Mapping[str, LearnerSettings] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrained:
    """What a retraining came to.

    Attributes:
        version: the candidate's artefact.
        publication: its publication where it was promoted; of kind `ramp` where it decides for a share.
        run_id: its MLflow run; None where MLflow could not be reached, so that the run is sent later.
        shadow: its name where it was not promoted and looks on.
        decides: in apprentice mode what decides all the same.
    """

    specification: str
    version: str
    verdict: Verdict
    chosen: Chosen
    mature: int
    immature: int
    champion: str
    publication: Publication | None
    run_id: str | None
    shadow: str | None = None
    decides: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "specification": self.specification,
            "version": self.version,
            "verdict": self.verdict.to_json(),
            "candidates": [asdict(candidate) for candidate in self.chosen.candidates],
            "chosen_per_fold": list(self.chosen.crossed.chosen),
            "mature_decisions": self.mature,
            "immature_decisions": self.immature,
            "champion": self.champion,
            "published": asdict(self.publication) if self.publication else None,
            "run_id": self.run_id,
            "shadow": self.shadow,
        }


def retrain(
    store: Store,
    artefacts: Artefacts,
    playbook: Playbook,
    tracker: Tracker,
    *,
    as_of: float,
    settings: Settings,
    lease: Lease | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Retrained:
    """Train, judge, register, and publish what the playbook's rule lets through.

    MLflow may be down: the run is kept in the store and sent later.

    Raises:
        NotEnoughData: fewer mature decisions than any learner can use, or none since the champion's.
        Conflict: a ramp is running, what serves changed meanwhile, or the lease is no longer the caller's;
            nothing was published.
        StoreUnavailable: the store can't be reached; nothing was published.
    """
    running = standing(store).tried
    if settings.scope == POLICY and running is not None:
        detail = f"{running.name} is on its ramp; promote it or roll it back before the next one"
        raise Conflict(detail)
    seen = mark(store)
    progress("reading the decision log")
    champion = serving_champion(store, artefacts, playbook, settings.scope)
    found = learnable(store, playbook, as_of, scope=settings.scope, early=playbook.spec.learning.early)
    log = enough(found, champion)
    bench = Bench(
        store=store,
        playbook=playbook,
        champion=champion,
        anchor=anchor(store, artefacts, playbook, champion) if settings.scope == POLICY else None,
        scope=settings.scope,
        as_of=as_of,
    )
    judged = _candidate(bench, log, found.early, settings, progress)
    version = artefacts.write(judged.artefact)
    note(store, judged, settings.scope, lease)
    progress("registering")
    # before it serves, so that no crash leaves a policy without its evidence; `align` adds its name
    delivered = Backlog(store).deliver(tracker, register(judged))
    published = None
    if judged.verdict.promoted:
        published = publish(store, judged, who=settings.who, scope=settings.scope, seen=seen, lease=lease)
    shadow = None
    if settings.shadow and published is None:
        shadow = look_on(store, judged, who=settings.who, lease=lease).name
    align(tracker, store, playbook)
    return Retrained(
        specification=judged.specification,
        version=version,
        verdict=judged.verdict,
        chosen=judged.chosen,
        mature=len(log),
        immature=found.immature,
        champion=champion.name,
        publication=published,
        run_id=delivered.run_id,
        shadow=shadow,
        decides=None if playbook.spec.mode == "autopilot" else "incumbent@0",
    )


def _candidate(
    bench: Bench,
    log: DecisionLog,
    early: DecisionLog | None,
    settings: Settings,
    progress: Callable[[str], None],
) -> Judged:
    playbook, known = bench.playbook, len(log)
    half_life = playbook.spec.learning.half_life
    whole = log if early is None else log + early
    treated, mature = whole.group == "treatment", np.arange(len(whole)) < known
    chosen = cross_choose(
        log.playbook or playbook,
        whole,
        folds=settings.folds,
        seed=settings.seed,
        learners=settings.learners,
        trains=treated,
        judges=mature,
        half_life=half_life,
        tuned=settings.tuned,
        progress=progress,
    ).at(mature)
    progress("judging")
    best = best_that_passes(bench, log, chosen)
    specification = best.specification
    own = whole.where(treated)
    progress(f"fitting {specification} on everything")
    policy = fit_policy(
        playbook,
        own,
        specification,
        seed=settings.seed,
        constant=best_constant(own, len(playbook.arms)),
        half_life=half_life,
        tuned=settings.tuned,
    )
    own_settings = settings.tuned.get(specification, {})
    artefact = seal(
        policy,
        playbook,
        data_from=float(own.decided_at.min()),
        data_to=float(own.decided_at.max()),
        rows=len(own),
        parameters={
            "as_of": timestamp(bench.as_of),
            "seed": settings.seed,
            "folds": settings.folds,
            **own_settings,
        },
    )
    return Judged(
        playbook=playbook,
        as_of=bench.as_of,
        champion=bench.champion,
        specification=specification,
        chosen=chosen,
        artefact=artefact,
        verdict=best.verdict,
        batch=best.batch,
        failed=best.failed,
        trained=own,
    )
