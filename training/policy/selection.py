"""Which learner, by doubly robust value on customers it was not trained on; a constant always competes.

Everything here sees training data alone: a policy that is judged later is chosen by the same steps inside
each fold, so that its estimate holds for the choice too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nba.errors import NotEnoughData
from nba.playbook.compile import Playbook
from nba.policies.batch import TrainingBatch
from nba.policies.learners import LEARNERS
from nba.policies.lesson import Settings
from nba.policies.policy import Policy
from nba.policies.served import ConstantPolicy, ServedPolicy
from training.policy.log import DecisionLog

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Progress = Callable[[str], None]
CONSTANT = "constant"
FEWEST_OF_AN_ARM = 20  # decisions below which an arm is no candidate for everybody
_LEAST = 1e-6  # that a decision counts
REWARD_MODEL = "boosted"  # predicts rewards for the doubly robust scores, whichever learner is judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A specification with its value on held-out customers; what `select` compares."""

    specification: str
    value: float
    stderr: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The best specification, fitted on all of the training data.

    Attributes:
        policy: as it would serve, exploration included.
        candidates: all that were compared, best first.
    """

    policy: Policy
    candidates: tuple[Candidate, ...]

    @property
    def specification(self) -> str:
        return self.policy.specification


def training_batch(
    log: DecisionLog, half_life: float | None = None, now: float | None = None
) -> TrainingBatch:
    """The log as a learner takes it; every reward must be mature.

    Args:
        half_life: seconds in which a decision comes to count half; None for all alike.
        now: from when it is counted, epoch seconds; the latest decision by default.
    """
    weight = log.weight
    if half_life and len(log):
        weight = weight * 0.5 ** (((now or log.decided_at.max()) - log.decided_at) / half_life)
    return TrainingBatch(
        weight=None if np.all(weight == 1.0) else np.maximum(weight, _LEAST),
        features=log.features,
        arm=log.arm,
        reward=log.reward,
        propensity=log.propensity,
        eligible=log.eligible,
        arms=None if log.playbook is None else log.playbook.arms,
    )


def customer_folds(customer: Ints, folds: int, seed: int) -> Ints:
    """(n,) the fold of each row; all rows of a customer share one."""
    codes, position = np.unique(customer, return_inverse=True)
    fold = np.random.default_rng(seed).permutation(len(codes)) % folds
    return fold[position].astype(np.int64)


def select(
    playbook: Playbook,
    log: DecisionLog,
    *,
    seed: int,
    learners: Sequence[str] = tuple(LEARNERS),
    rounds: int = 1,
    progress: Progress = lambda _: None,
) -> Selected:
    """Compare the learners and the best constant on held-out customers, and fit the winner on all.

    The winner is the one of the highest doubly robust value when acting greedily; ties go to the first.

    Args:
        rounds: thirds of the customers that are held out in turn, 1 to 3; more choose better, for more time.

    Raises:
        NotEnoughData: too few decisions to hold any out.
    """
    third = customer_folds(log.customer, 3, seed)
    scores: dict[str, list[Floats]] = {}
    for turn in range(rounds):
        inner, outer = log.where(third != turn), log.where(third == turn)
        for name, values in _held_out(playbook, inner, outer, seed, learners, progress).items():
            scores.setdefault(name, []).append(values)
    candidates = [candidate(name, np.concatenate(values)) for name, values in scores.items()]
    candidates.sort(key=lambda c: -c.value)
    winner = candidates[0].specification
    progress(f"fitting {winner} on everything")
    policy = fit_policy(playbook, log, winner, seed=seed, constant=best_constant(log))
    return Selected(policy=policy, candidates=tuple(candidates))


def _held_out(
    playbook: Playbook,
    inner: DecisionLog,
    outer: DecisionLog,
    seed: int,
    learners: Sequence[str],
    progress: Progress,
) -> dict[str, Floats]:
    """Each candidate fitted on `inner` → the doubly robust score of its greedy arm on each row of `outer`."""
    if len(np.unique(inner.arm)) < 2 or len(outer) < 2:
        figures = {"decisions": len(inner) + len(outer)}
        raise NotEnoughData("choosing a policy takes decisions on at least two arms", figures)
    batch = training_batch(inner)
    predicted: dict[str, Floats] = {}
    for name in dict.fromkeys((REWARD_MODEL, *learners)):
        progress(f"fitting {name}")
        predicted[name] = LEARNERS[name].fit(playbook, batch, seed, serves=False).scores(outer.features)
    constant = ConstantPolicy.of(playbook, best_constant(inner))
    arms = {CONSTANT: constant.choose(outer.features, outer.eligible).best}
    arms |= {name: greedy_arms(predicted[name], outer.eligible) for name in learners}
    scores = doubly_robust(outer, predicted[REWARD_MODEL])
    return {name: scores[np.arange(len(outer)), chosen] for name, chosen in arms.items()}


def fit_policy(
    playbook: Playbook,
    log: DecisionLog,
    specification: str,
    *,
    seed: int,
    constant: int = 0,
    half_life: float | None = None,
    tuned: Mapping[str, Settings] | None = None,
) -> Policy:
    """One specification fitted on the whole log, as it would serve. `constant` is the arm of a constant.

    `playbook` is the one that serves, also where callers brought actions along. `tuned` has learners'
    settings that are not the defaults.
    """
    if specification == CONSTANT:
        return ConstantPolicy.of(playbook, constant)
    batch = training_batch(log, half_life)
    model = LEARNERS[specification].fit(
        playbook, batch, seed, (tuned or {}).get(specification), heads=heads(playbook)
    )
    return ServedPolicy.of(model, playbook.spec.exploration, playbook.arms.lever)


def able(playbook: Playbook) -> tuple[str, ...]:
    """The learners that can serve under a playbook's exploration: Thompson takes one that can draw heads."""
    return tuple(name for name, learner in LEARNERS.items() if learner.draws or not heads(playbook))


def heads(playbook: Playbook) -> int:
    """How many draws of itself a model needs to serve: those that Thompson asks, else none."""
    exploration = playbook.spec.exploration
    return exploration.heads if exploration.explorer == "thompson" else 0


def greedy_arms(scores: Floats, eligible: NDArray[np.bool_]) -> Ints:
    """(n, k) scores and eligible arms → (n,) the best eligible arm, ties by index."""
    best: Ints = np.where(eligible, scores, -np.inf).argmax(axis=1).astype(np.int64)
    return best


def one_hot(arm: Ints, k: int) -> Floats:
    """(n,) arms → (n, k) odds."""
    return np.eye(k)[arm]


def best_constant(log: DecisionLog, arms: int | None = None) -> int:
    """The arm of the highest self-normalised value for everybody, silence where it is refused.

    Among the first `arms`, all by default.
    """
    values = []
    for arm in range(log.eligible.shape[1] if arms is None else arms):
        taken = np.where(log.eligible[:, arm], arm, 0) == log.arm
        weight = taken * log.weight / log.propensity
        known = np.count_nonzero(taken & (log.arm == arm)) >= FEWEST_OF_AN_ARM
        values.append(weight @ log.reward / weight.sum() if known else -np.inf)
    return int(np.argmax(values))


def doubly_robust(log: DecisionLog, q_hat: Floats) -> Floats:
    """(n, k) scores whose mean under a policy's odds is its DR value: q̂ + 1{a = aᵢ}(rᵢ − q̂)/pᵢ.

    Dudík et al. (2014), "Doubly Robust Policy Evaluation and Optimization", §3.
    """
    scores = q_hat.copy()
    rows = np.arange(len(log))
    scores[rows, log.arm] += (log.reward - q_hat[rows, log.arm]) / log.propensity
    return scores


def candidate(name: str, scores: Floats) -> Candidate:
    """A specification by the (n,) scores of what it would have done."""
    stderr = float(scores.std(ddof=1) / np.sqrt(len(scores)))
    return Candidate(specification=name, value=float(scores.mean()), stderr=stderr)
