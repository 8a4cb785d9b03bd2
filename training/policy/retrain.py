"""Retrain: mature rewards → a candidate → off-policy judgement → MLflow → champion, or what was missing.

Treatment customers train; random-eligible ones only judge (invariant 6). The candidate is valued out of
fold by customer, the serving champion as it is, both on decisions later than the champion's training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.ope import LoggedBatch, diagnostics
from nba.errors import NotEnoughData
from nba.playbook.compile import Playbook
from nba.policies.artefact import seal, unseal
from nba.policies.learners import LEARNERS
from nba.policies.policy import Policy
from nba.policies.served import fallback
from nba.record import timestamp
from nba.stores.artefacts import Artefact, Artefacts
from nba.stores.ports import Publication, Store
from training.policy.gate import Verdict, judge
from training.policy.log import DecisionLog, read_log
from training.policy.selection import CrossFitted, Selected, cross_fit, select

if TYPE_CHECKING:
    from experiments.tracking import Tracker

EXPERIMENT = "policy"
FEWEST = 200  # mature decisions below which no learner is tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to retrain. `learners` are the specifications that compete, beside the best constant."""

    folds: int = 3
    seed: int = 0
    learners: tuple[str, ...] = tuple(LEARNERS)
    who: str = "nba retrain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """What serves now, and the moment up to which it was trained; a fallback was never trained."""

    policy: Policy
    name: str
    trained_through: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrained:
    """What a retraining came to.

    Attributes:
        version: the candidate's artefact.
        publication: its publication where it was promoted.
        run_id: its MLflow run.
    """

    specification: str
    version: str
    verdict: Verdict
    selected: Selected
    crossed: CrossFitted
    mature: int
    immature: int
    champion: str
    publication: Publication | None
    run_id: str

    def to_json(self) -> dict[str, Any]:
        return {
            "specification": self.specification,
            "version": self.version,
            "verdict": self.verdict.to_json(),
            "candidates": [asdict(candidate) for candidate in self.selected.candidates],
            "chosen_per_fold": list(self.crossed.chosen),
            "mature_decisions": self.mature,
            "immature_decisions": self.immature,
            "champion": self.champion,
            "published": asdict(self.publication) if self.publication else None,
            "run_id": self.run_id,
        }


def retrain(
    store: Store,
    artefacts: Artefacts,
    playbook: Playbook,
    tracker: Tracker,
    *,
    as_of: float,
    settings: Settings,
    progress: Callable[[str], None] = lambda _: None,
) -> Retrained:
    """Train, judge, register, and publish what the playbook's rule lets through.

    Raises:
        NotEnoughData: fewer mature decisions than any learner can use.
        StoreUnavailable: the store or MLflow can't be reached; nothing was published.
    """
    progress("reading the decision log")
    log = read_log(store, playbook, as_of=as_of)
    log, immature = log.where(log.group != "holdout"), int(np.sum(~log.mature & (log.group != "holdout")))
    log = log.where(log.mature)
    treated = log.group == "treatment"
    if treated.sum() < FEWEST:
        figures = {"mature": float(treated.sum()), "immature": float(immature), "needed": float(FEWEST)}
        raise NotEnoughData("too few decisions have mature rewards to learn from", figures)
    champion = serving_champion(store, artefacts, playbook)
    crossed = cross_fit(
        playbook,
        log,
        folds=settings.folds,
        seed=settings.seed,
        learners=settings.learners,
        trains=treated,
        progress=progress,
    )
    own = log.where(treated)
    selected = select(playbook, own, seed=settings.seed, learners=settings.learners, progress=progress)
    artefact = seal(
        selected.policy,
        playbook,
        data_from=float(own.decided_at[0]),
        data_to=float(own.decided_at[-1]),
        rows=len(own),
        parameters={"as_of": timestamp(as_of), "seed": settings.seed, "folds": settings.folds},
    )
    progress("judging")
    verdict, batch = _judge(playbook, log, crossed, champion, selected.specification)
    version = artefacts.write(artefact)
    progress("registering")
    run_id, registered = _register(tracker, artefact, verdict, batch, selected, crossed, champion, playbook, as_of)
    publication = None
    if verdict.promoted:
        publication = store.publish(
            kind="policy",
            version=version,
            specification=selected.specification,
            at=as_of,
            who=settings.who,
            why=verdict.reason,
        )
        served = f"{selected.specification}@{publication.number}"
        tracker.promote(playbook.spec.name, registered, {"policy": served})
    return Retrained(
        specification=selected.specification,
        version=version,
        verdict=verdict,
        selected=selected,
        crossed=crossed,
        mature=len(log),
        immature=immature,
        champion=champion.name,
        publication=publication,
        run_id=run_id,
    )


def serving_champion(store: Store, artefacts: Artefacts, playbook: Playbook) -> Champion:
    """The policy that serves, or the fallback where none was ever published.

    Raises:
        CallOperator: the serving artefact is corrupt or doesn't fit the playbook.
    """
    publication = store.serving().get("policy")
    if publication is None:
        policy = fallback(playbook)
        return Champion(policy=policy, name=f"{policy.specification}@0", trained_through=float("-inf"))
    artefact = artefacts.read(publication.version)
    return Champion(
        policy=unseal(artefact, playbook),
        name=f"{publication.specification}@{publication.number}",
        trained_through=artefact.manifest.data_to or float("-inf"),
    )


def _judge(
    playbook: Playbook, log: DecisionLog, crossed: CrossFitted, champion: Champion, specification: str
) -> tuple[Verdict, LoggedBatch]:
    later = log.decided_at > champion.trained_through
    if not later.any():
        raise NotEnoughData("no decision has matured since the champion was trained", {"decisions": 0.0})
    seen = log.where(later)
    champion_odds = champion.policy.choose(seen.features, seen.eligible).odds
    batches = [
        LoggedBatch(
            reward=seen.reward,
            arm=seen.arm,
            propensity=seen.propensity,
            target=target,
            q_hat=crossed.q_hat[later],
            customer=seen.customer,
            logging=seen.odds,
        )
        for target in (crossed.served[later], champion_odds)
    ]
    refresh = champion.policy.specification == specification
    return judge(batches[0], batches[1], playbook.spec.promotion, refresh=refresh), batches[0]


def _register(
    tracker: Tracker,
    artefact: Artefact,
    verdict: Verdict,
    batch: LoggedBatch,
    selected: Selected,
    crossed: CrossFitted,
    champion: Champion,
    playbook: Playbook,
    as_of: float,
) -> tuple[str, str]:
    """Log the run and register the candidate: the run's id and the registered version."""
    params = {
        "specification": selected.specification,
        "playbook": playbook.version,
        "as_of": timestamp(as_of),
        "rows": artefact.manifest.rows,
        "data_from": timestamp(artefact.manifest.data_from),
        "data_to": timestamp(artefact.manifest.data_to),
        "champion": champion.name,
        "chosen_per_fold": ",".join(crossed.chosen),
    }
    tags = {"version": artefact.version, "promoted": str(verdict.promoted).lower(), "rule": verdict.rule}
    name = f"{selected.specification} {timestamp(as_of)}"
    with tracker.run(EXPERIMENT, name, params, tags) as run:
        run.log_metrics(_figures(verdict))
        run.log_metrics(
            {f"overlap.{k}": float(v) for k, v in asdict(diagnostics(batch)).items() if _number(v)}
        )
        run.log_table([asdict(c) for c in selected.candidates], "candidates.json")
        run.log_dict(verdict.to_json(), "verdict.json")
        run.log_text(verdict.reason + "\n", "verdict.txt")
        run.log_bytes({"manifest.json": artefact.manifest.to_bytes(), **artefact.files}, "policy")
    registered = tracker.register(playbook.spec.name, run.run_id, "policy", {"version": artefact.version})
    return run.run_id, registered


def _figures(verdict: Verdict) -> dict[str, float]:
    figures = {"promoted": float(verdict.promoted), "decisions": float(verdict.decisions)}
    for who in ("challenger", "champion"):
        for name, e in getattr(verdict, who).items():
            figures |= {f"{who}.{name}.{f}": float(getattr(e, f)) for f in ("value", "low", "high")}
            figures[f"{who}.{name}.effective_n"] = float(e.effective_n)
    if verdict.difference is not None:
        d = verdict.difference
        figures |= {f"difference.{f}": float(getattr(d, f)) for f in ("value", "low", "high", "stderr")}
    return figures


def _number(value: object) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))
