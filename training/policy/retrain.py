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
from nba.artefacts import Artefact, Artefacts
from nba.errors import NotEnoughData
from nba.live import LiveSource
from nba.playbook.compile import Playbook
from nba.policies.artefact import seal
from nba.policies.learners import LEARNERS
from nba.policies.policy import Policy
from nba.record import timestamp
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A candidate and the gate's answer; what is registered.

    Attributes:
        batch: the log that it was judged on, with its odds out of fold as `target`.
    """

    playbook: Playbook
    as_of: float
    champion: Champion
    selected: Selected
    crossed: CrossFitted
    artefact: Artefact
    verdict: Verdict
    batch: LoggedBatch


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
        NotEnoughData: fewer mature decisions than any learner can use, or none since the champion's.
        StoreUnavailable: the store or MLflow can't be reached; nothing was published.
    """
    progress("reading the decision log")
    champion = serving_champion(store, artefacts, playbook)
    log, immature = learnable(store, playbook, as_of, champion)
    judged = _candidate(playbook, log, champion, as_of, settings, progress)
    version = artefacts.write(judged.artefact)
    progress("registering")
    run_id, registered = _register(tracker, judged)
    publication = None
    if judged.verdict.promoted:
        publication = _publish(store, judged, settings.who)
        served = f"{publication.specification}@{publication.number}"
        tracker.promote(playbook.spec.name, registered, {"policy": served})
    return Retrained(
        specification=judged.selected.specification,
        version=version,
        verdict=judged.verdict,
        selected=judged.selected,
        crossed=judged.crossed,
        mature=len(log),
        immature=immature,
        champion=champion.name,
        publication=publication,
        run_id=run_id,
    )


def serving_champion(store: Store, artefacts: Artefacts, playbook: Playbook) -> Champion:
    """What a server would serve now: where the published policy is unreadable or doesn't fit the playbook,
    the last one that does, else the fallback."""
    source = LiveSource(playbook=playbook, store=store, artefacts=artefacts, alert=lambda event, fields: None)
    source.refresh(0.0)
    live = source.current
    through = float("-inf") if live.trained_through is None else live.trained_through
    return Champion(policy=live.policy, name=live.policy_name, trained_through=through)


def learnable(store: Store, playbook: Playbook, as_of: float, champion: Champion) -> tuple[DecisionLog, int]:
    """Mature decisions outside the holdout, and how many are not mature yet.

    Raises:
        NotEnoughData: fewer than any learner can use, or none later than the champion's training.
    """
    log = read_log(store, playbook, as_of=as_of)
    log = log.where(log.group != "holdout")
    mature = log.where(log.mature)
    immature, treated = len(log) - len(mature), int(np.sum(mature.group == "treatment"))
    if treated < FEWEST:
        figures = {"mature": float(treated), "immature": float(immature), "needed": float(FEWEST)}
        raise NotEnoughData("too few decisions have mature rewards to learn from", figures)
    if not (mature.decided_at > champion.trained_through).any():
        raise NotEnoughData("no decision has matured since the champion was trained", {"decisions": 0.0})
    return mature, immature


def _candidate(
    playbook: Playbook,
    log: DecisionLog,
    champion: Champion,
    as_of: float,
    settings: Settings,
    progress: Callable[[str], None],
) -> Judged:
    treated = log.group == "treatment"
    learning: dict[str, Any] = {"seed": settings.seed, "learners": settings.learners, "progress": progress}
    crossed = cross_fit(playbook, log, folds=settings.folds, trains=treated, **learning)
    own = log.where(treated)
    selected = select(playbook, own, **learning)
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
    return Judged(
        playbook=playbook,
        as_of=as_of,
        champion=champion,
        selected=selected,
        crossed=crossed,
        artefact=artefact,
        verdict=verdict,
        batch=batch,
    )


def _judge(
    playbook: Playbook, log: DecisionLog, crossed: CrossFitted, champion: Champion, specification: str
) -> tuple[Verdict, LoggedBatch]:
    later = log.decided_at > champion.trained_through
    seen = log.where(later)
    champion_odds = champion.policy.choose(seen.features, seen.eligible).odds
    challenger, opponent = (
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
    )
    refresh = champion.policy.specification == specification
    return judge(challenger, opponent, playbook.spec.promotion, refresh=refresh), challenger


def _publish(store: Store, judged: Judged, who: str) -> Publication:
    return store.publish(
        kind="policy",
        version=judged.artefact.version,
        specification=judged.selected.specification,
        at=judged.as_of,
        who=who,
        why=judged.verdict.reason,
    )


def _register(tracker: Tracker, judged: Judged) -> tuple[str, str]:
    """Log the run and register the candidate: the run's id and the registered version."""
    artefact, verdict, version = judged.artefact, judged.verdict, judged.artefact.version
    tags = {"version": version, "promoted": str(verdict.promoted).lower(), "rule": verdict.rule}
    name = f"{judged.selected.specification} {timestamp(judged.as_of)}"
    overlap = asdict(diagnostics(judged.batch))
    with tracker.run(EXPERIMENT, name, _parameters(judged), tags) as run:
        run.log_metrics(_figures(verdict))
        run.log_metrics({f"overlap.{k}": float(v) for k, v in overlap.items() if _number(v)})
        run.log_table([asdict(c) for c in judged.selected.candidates], "candidates.json")
        run.log_dict(verdict.to_json(), "verdict.json")
        run.log_text(verdict.reason + "\n", "verdict.txt")
        run.log_bytes({"manifest.json": artefact.manifest.to_bytes(), **artefact.files}, "policy")
    registered = tracker.register(judged.playbook.spec.name, run.run_id, "policy", {"version": version})
    return run.run_id, registered


def _parameters(judged: Judged) -> dict[str, Any]:
    manifest = judged.artefact.manifest
    return {
        "specification": judged.selected.specification,
        "playbook": judged.playbook.version,
        "as_of": timestamp(judged.as_of),
        "rows": manifest.rows,
        "data_from": timestamp(manifest.data_from),
        "data_to": timestamp(manifest.data_to),
        "champion": judged.champion.name,
        "chosen_per_fold": ",".join(judged.crossed.chosen),
    }


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
