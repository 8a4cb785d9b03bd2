"""Retrain: mature rewards → a candidate → off-policy judgement → MLflow → champion, or what was missing.

Treatment customers train; random-eligible ones only judge (invariant 6). The candidate is valued out of
fold by customer, the serving champion as it is, both on decisions later than the champion's training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.ope import LoggedBatch
from nba.artefacts import Artefacts
from nba.errors import NotEnoughData, StoreUnavailable
from nba.live import LiveSource
from nba.playbook.compile import Playbook
from nba.policies.artefact import seal
from nba.policies.learners import LEARNERS
from nba.record import timestamp
from nba.stores.ports import Publication, Store
from training.policy.crossing import Chosen, cross_choose
from training.policy.gate import Verdict, judge
from training.policy.log import DecisionLog, read_log
from training.policy.register import Champion, Judged, register
from training.policy.selection import best_constant, fit_policy

if TYPE_CHECKING:
    from experiments.tracking import Tracker

FEWEST = 200  # mature decisions below which no learner is tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to retrain.

    Attributes:
        learners: the specifications that compete, beside the best constant.
        shadow: a candidate that is not promoted looks on as challenger: it is asked at every decision and
            changes none.
    """

    folds: int = 3
    seed: int = 0
    learners: tuple[str, ...] = tuple(LEARNERS)
    who: str = "nba retrain"
    shadow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrained:
    """What a retraining came to.

    Attributes:
        version: the candidate's artefact.
        publication: its publication where it was promoted.
        run_id: its MLflow run.
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
    run_id: str
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
    progress: Callable[[str], None] = lambda _: None,
) -> Retrained:
    """Train, judge, register, and publish what the playbook's rule lets through.

    Raises:
        NotEnoughData: fewer mature decisions than any learner can use, or none since the champion's.
        StoreUnavailable: the store or MLflow can't be reached; nothing was published, unless it says so.
    """
    progress("reading the decision log")
    champion = serving_champion(store, artefacts, playbook)
    log, immature = learnable(store, playbook, as_of, champion)
    judged = _candidate(playbook, log, champion, as_of, settings, progress)
    version = artefacts.write(judged.artefact)
    progress("registering")
    run_id, registered = register(tracker, judged)
    publication = None
    shadow = None
    if settings.shadow and not judged.verdict.promoted:
        looking = _publish(store, judged, settings.who, kind="challenger")
        shadow = f"{looking.specification}@{looking.number}"
    if judged.verdict.promoted:
        publication = _publish(store, judged, settings.who)
        served = f"{publication.specification}@{publication.number}"
        try:
            tracker.promote(playbook.spec.name, registered, {"policy": served})
        except StoreUnavailable as error:
            raise StoreUnavailable(f"{served} serves, but is no champion in MLflow: {error.detail}") from None
    return Retrained(
        specification=judged.specification,
        version=version,
        verdict=judged.verdict,
        chosen=judged.chosen,
        mature=len(log),
        immature=immature,
        champion=champion.name,
        publication=publication,
        run_id=run_id,
        shadow=shadow,
        decides=None if playbook.spec.mode == "autopilot" else "incumbent@0",
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
    wide = log.playbook or playbook
    chosen = cross_choose(
        wide,
        log,
        folds=settings.folds,
        seed=settings.seed,
        learners=settings.learners,
        trains=treated,
        progress=progress,
    )
    progress("judging")
    specification, verdict, batch = _best_that_passes(wide, log, chosen, champion)
    own = log.where(treated)
    progress(f"fitting {specification} on everything")
    constant = best_constant(own, len(playbook.arms))
    artefact = seal(
        fit_policy(playbook, own, specification, seed=settings.seed, constant=constant),
        playbook,
        data_from=float(own.decided_at[0]),
        data_to=float(own.decided_at[-1]),
        rows=len(own),
        parameters={"as_of": timestamp(as_of), "seed": settings.seed, "folds": settings.folds},
    )
    return Judged(
        playbook=playbook,
        as_of=as_of,
        champion=champion,
        specification=specification,
        chosen=chosen,
        artefact=artefact,
        verdict=verdict,
        batch=batch,
    )


def _best_that_passes(
    playbook: Playbook, log: DecisionLog, chosen: Chosen, champion: Champion
) -> tuple[str, Verdict, LoggedBatch]:
    """The best specification; where it is a new one and fails, a refresh of the champion's that passes.

    A champion must not go stale because another kind of policy looks better and can't be proven.
    """
    later = log.decided_at > champion.trained_through
    seen, q_hat = log.where(later), chosen.crossed.q_hat[later]
    policy = champion.policy if log.playbook is None else champion.policy.under(log.playbook)
    opponent = _batch(seen, q_hat, policy.choose(seen.features, seen.eligible).odds)
    own = champion.policy.specification
    promotion = playbook.spec.promotion
    best = _batch(seen, q_hat, chosen.crossed.served[later])
    verdict = judge(best, opponent, promotion, refresh=own == chosen.specification)
    if not verdict.promoted and own != chosen.specification and own in chosen.served:
        again = _batch(seen, q_hat, chosen.served[own][later])
        refreshed = judge(again, opponent, promotion, refresh=True)
        if refreshed.promoted:
            return own, refreshed, again
    return chosen.specification, verdict, best


def _batch(seen: DecisionLog, q_hat: NDArray[np.float64], target: NDArray[np.float64]) -> LoggedBatch:
    return LoggedBatch(
        reward=seen.reward,
        arm=seen.arm,
        propensity=seen.propensity,
        target=target,
        q_hat=q_hat,
        customer=seen.customer,
        logging=seen.odds,
    )


def _publish(store: Store, judged: Judged, who: str, kind: str = "policy") -> Publication:
    return store.publish(
        kind=kind,
        version=judged.artefact.version,
        specification=judged.specification,
        at=judged.as_of,
        who=who,
        why=judged.verdict.reason,
    )
