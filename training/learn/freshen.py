"""Bring the champion up to date with what has matured since, where its learner can add: ridge.

Its sums are made anew from the log when a process starts, and grow by what matures: a decision is in them
once, and nothing of them need survive a crash. The encoder is the champion's. A policy of all folds but one
is judged on that fold, as in a full retraining, but takes no second fit.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nba.errors import InvalidInput
from nba.playbook.compile import Playbook
from nba.policies.artefact import seal
from nba.policies.linear import LinearModel
from nba.policies.policy import Policy
from nba.policies.running import FOLDS, RunningRidge
from nba.policies.served import ServedPolicy
from nba.record import timestamp
from nba.stores.ports import Store
from training.policy.crossing import Chosen, CrossFitted
from training.policy.judged import Champion, Judged
from training.policy.judging import Bench
from training.policy.learnable import learnable
from training.policy.log import DecisionLog
from training.policy.selection import candidate, doubly_robust, heads, one_hot, training_batch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SPECIFICATION = "ridge"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """What has been learned so far.

    Attributes:
        basis: what the sums belong to: the champion whose encoder they use, the playbook, its quarantines.
        through: epoch seconds; decisions before it are in the sums, each once, and later ones are not.
    """

    running: RunningRidge
    basis: str
    through: float


def can_freshen(champion: Champion) -> bool:
    """Whether decisions can be added to what this champion knows."""
    policy = champion.policy
    return (
        isinstance(policy, ServedPolicy)
        and isinstance(policy.model, LinearModel)
        and (policy.model.specification == SPECIFICATION)
    )


def boundary(playbook: Playbook, as_of: float) -> float:
    """Decisions before this moment are mature at `as_of`."""
    spec = playbook.spec
    mature = as_of - spec.objectives.window - (spec.learning.settle or 0.0)
    return float(np.nextafter(mature, np.inf))


def start(store: Store, playbook: Playbook, champion: Champion, basis: str, *, as_of: float) -> Sums:
    """The sums of all that is mature, over the champion's own columns."""
    model = champion.policy.model  # type: ignore[attr-defined]
    empty = Sums(running=RunningRidge.empty(model.encoder, playbook), basis=basis, through=float("-inf"))
    sums = advance(store, playbook, empty, as_of=as_of)
    if sums.running.rows == 0:
        return sums
    return replace(sums, running=sums.running.settled())  # how much to shrink is chosen once


def advance(store: Store, playbook: Playbook, sums: Sums, *, as_of: float) -> Sums:
    """With what has matured since; what was learned fades by the playbook's half-life."""
    through = max(boundary(playbook, as_of), sums.through)  # a clock may step back
    log = _new(store, playbook, sums.through, through, as_of)
    half_life, running = playbook.spec.learning.half_life, sums.running
    if half_life and np.isfinite(sums.through):
        running = running.decayed(0.5 ** ((through - sums.through) / half_life))
    if log is not None and len(log) > 1:
        running = running.add(training_batch(log, half_life, through), folds(log.surrogate))
    elif log is not None:  # one decision is no batch; it comes with the next
        return sums
    return Sums(running=running, basis=sums.basis, through=through)


def judged(bench: Bench, sums: Sums, *, seed: int = 0) -> Judged:
    """The champion brought up to date, and the gate's answer.

    Raises:
        NotEnoughData: nothing can be fitted yet.
        InvalidInput: no decision is later than the champion's training.
    """
    playbook, champion = bench.playbook, bench.champion
    running = sums.running.settled()
    log = learnable(bench.store, playbook, bench.as_of, since=champion.trained_through).log
    log = log.where((log.decided_at > champion.trained_through) & (log.decided_at < sums.through))
    if not len(log):
        raise InvalidInput.of("store", "no decision has matured since the champion was trained")
    model = running.model(heads=heads(playbook), seed=seed)
    served, scores = _out_of_fold(running, playbook, log, model.resolution)
    verdict, batch = bench.judge(log, scores, served, SPECIFICATION)
    policy = _served(model, playbook)
    artefact = seal(
        policy,
        playbook,
        data_from=None,
        data_to=float(log.decided_at[-1]),
        rows=running.rows,
        parameters={
            "as_of": timestamp(bench.as_of),
            "strength": running.strength,
            "refreshes": champion.name,
        },
    )
    return Judged(
        playbook=playbook,
        as_of=bench.as_of,
        champion=champion,
        specification=SPECIFICATION,
        chosen=_chosen(log, served, scores),
        artefact=artefact,
        verdict=verdict,
        batch=batch,
        trained=log,
    )


def folds(surrogates: NDArray[np.object_]) -> Ints:
    """(n,) the fold of each row; a customer has the same one for ever."""
    return np.array([zlib.crc32(str(s).encode()) % FOLDS for s in surrogates], dtype=np.int64)


def _new(store: Store, playbook: Playbook, since: float, until: float, as_of: float) -> DecisionLog | None:
    """Treated decisions that have become mature; None for none."""
    if since >= until:
        return None
    try:
        log = learnable(store, playbook, as_of, since=since).log
    except InvalidInput:
        return None  # nothing was decided since then
    log = log.where((log.decided_at < until) & (log.group == "treatment"))
    return log if len(log) else None


def _served(model: LinearModel, playbook: Playbook) -> ServedPolicy:
    return ServedPolicy.of(model, playbook.spec.exploration, playbook.arms.lever)


def _out_of_fold(
    running: RunningRidge, playbook: Playbook, log: DecisionLog, resolution: float
) -> tuple[Floats, Floats]:
    """(n, k) odds and (n, k) scores of each row by a policy that never learned from its customer."""
    served, scores = np.zeros(log.eligible.shape), np.zeros(log.eligible.shape)
    fold = folds(log.surrogate)
    for f in np.unique(fold):
        rows = fold == f
        model = running.model(without=int(f), resolution=resolution, heads=heads(playbook))
        policy: Policy = _served(model, playbook)
        policy = policy if log.playbook is None else policy.under(log.playbook)
        choice = policy.choose(log.features[rows], log.eligible[rows])
        served[rows], scores[rows] = choice.odds, choice.scores
    return served, scores


def _chosen(log: DecisionLog, served: Floats, scores: Floats) -> Chosen:
    """There was no choice: one specification, valued like the candidates of a full retraining."""
    best = np.where(log.eligible, scores, -np.inf).argmax(axis=1)
    values = doubly_robust(log, scores)[np.arange(len(log)), best]
    greedy = one_hot(best.astype(np.int64), log.eligible.shape[1])
    crossed = CrossFitted(
        q_hat=scores,
        greedy=greedy,
        served=served,
        constant=np.zeros(served.shape),
        chosen=(SPECIFICATION,) * FOLDS,
        constants=(),
    )
    return Chosen(
        specification=SPECIFICATION,
        candidates=(candidate(SPECIFICATION, values),),
        crossed=crossed,
        served={SPECIFICATION: served},
    )
