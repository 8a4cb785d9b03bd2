"""Policies judged on customers they never saw: fitted on all folds but one, applied to that one.

`cross_fit` repeats the whole procedure inside each fold, choice included, from nothing but the other folds.
`cross_choose` fits each learner once a fold and chooses for a fold by what the learners did on the others:
a third of the work, and the models that it compares there have seen the fold that the choice is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nba.errors import NotEnoughData
from nba.playbook.compile import Playbook
from nba.policies.learners import LEARNERS
from nba.policies.lesson import Settings
from nba.policies.policy import Policy, RewardModel
from nba.policies.served import ConstantPolicy, ServedPolicy
from training.policy.log import DecisionLog
from training.policy.selection import (
    CONSTANT,
    REWARD_MODEL,
    Candidate,
    best_constant,
    candidate,
    customer_folds,
    doubly_robust,
    heads,
    one_hot,
    select,
    training_batch,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossFitted:
    """Out-of-fold predictions and policies for every row of a log.

    Attributes:
        q_hat: (n, k) rewards predicted by a model of the other folds.
        greedy, served, constant: (n, k) odds of the policy chosen on the other folds: its best arm, as it
            would serve, and the best constant.
        chosen: the specification chosen in each fold.
        constants: the best constant arm of each fold.
    """

    q_hat: Floats
    greedy: Floats
    served: Floats
    constant: Floats
    chosen: tuple[str, ...]
    constants: tuple[int, ...]


def cross_fit(
    playbook: Playbook,
    log: DecisionLog,
    *,
    folds: int,
    seed: int,
    learners: Sequence[str] = tuple(LEARNERS),
    trains: Bools | None = None,
    rounds: int = 1,
    progress: Progress = lambda _: None,
) -> CrossFitted:
    """Choose and fit on all folds of customers but one, apply to that one, for each fold.

    Args:
        trains: (n,) rows that may train; the others are only judged on. All by default.
        rounds: as in `select`.
    """
    n, k = log.eligible.shape
    parts: dict[str, Floats] = {name: np.zeros((n, k)) for name in ("q_hat", "greedy", "served", "constant")}
    chosen, constants = [], []
    fold = customer_folds(log.customer, folds, seed)
    for f in range(folds):
        rows = fold == f
        inside = log.where(~rows if trains is None else ~rows & trains)

        def step(text: str, f: int = f) -> None:
            progress(f"fold {f + 1} of {folds}: {text}")

        applied = _apply(playbook, inside, log.where(rows), seed + f, learners, rounds, step)
        for name, values in applied.odds.items():
            parts[name][rows] = values
        chosen.append(applied.chosen)
        constants.append(applied.constant)
    return CrossFitted(**parts, chosen=tuple(chosen), constants=tuple(constants))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Applied:
    odds: dict[str, Floats]
    chosen: str
    constant: int


def _apply(
    playbook: Playbook,
    inside: DecisionLog,
    outside: DecisionLog,
    seed: int,
    learners: Sequence[str],
    rounds: int,
    progress: Progress,
) -> _Applied:
    selected = select(playbook, inside, seed=seed, learners=learners, rounds=rounds, progress=progress)
    policy = selected.policy
    if isinstance(policy, ServedPolicy) and selected.specification == REWARD_MODEL:
        model: RewardModel = policy.model
    else:
        progress("fitting the reward model")
        model = LEARNERS[REWARD_MODEL].fit(playbook, training_batch(inside), seed, serves=False)
    constant = best_constant(inside)
    choice = policy.choose(outside.features, outside.eligible)
    single = ConstantPolicy.of(playbook, constant).choose(outside.features, outside.eligible)
    k = outside.eligible.shape[1]
    odds = {
        "q_hat": model.scores(outside.features),
        "served": choice.odds,
        "greedy": one_hot(choice.best, k),
        "constant": one_hot(single.best, k),
    }
    return _Applied(odds=odds, chosen=selected.specification, constant=constant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What `cross_choose` found.

    Attributes:
        specification: the best over all rows that may train.
        candidates: all specifications, best first.
        crossed: with the specification chosen for each fold.
        served: (n, k) odds of each specification, out of fold.
    """

    specification: str
    candidates: tuple[Candidate, ...]
    crossed: CrossFitted
    served: Mapping[str, Floats]

    def at(self, rows: Bools) -> Chosen:
        """The same for some of the rows."""
        crossed = self.crossed
        parts = {name: getattr(crossed, name)[rows] for name in ("q_hat", "greedy", "served", "constant")}
        served = {name: odds[rows] for name, odds in self.served.items()}
        return replace(self, crossed=replace(crossed, **parts), served=served)


def cross_choose(
    playbook: Playbook,
    log: DecisionLog,
    *,
    folds: int,
    seed: int,
    learners: Sequence[str] = tuple(LEARNERS),
    trains: Bools,
    judges: Bools | None = None,
    half_life: float | None = None,
    tuned: Mapping[str, Settings] | None = None,
    progress: Progress = lambda _: None,
) -> Chosen:
    """Compare specifications out of fold, by doubly robust value when acting greedily.

    Args:
        playbook: of the log's arms; models are fitted for its base and then put under it, as they serve.
        trains: (n,) rows that may train and choose; the others are only judged on.
        judges: (n,) rows that may choose, where they are fewer: those whose rewards are known, not expected.
        half_life: as in `training_batch`.
        tuned: settings of learners that are not the defaults; what only predicts keeps its own.

    Raises:
        NotEnoughData: a fold leaves decisions on fewer than two arms to train on.
    """
    fold = customer_folds(log.customer, folds, seed)
    base = playbook.base or playbook
    odds: dict[str, Floats] = {}
    best: dict[str, Ints] = {}
    q_hat = np.zeros(log.eligible.shape)
    constants = []
    for f in range(folds):
        rows, inside = fold == f, log.where((fold != f) & trains)
        if len(np.unique(inside.arm)) < 2:
            figures = {"decisions": len(inside)}
            raise NotEnoughData("choosing a policy takes decisions on at least two arms", figures)
        outside = log.where(rows)
        constants.append(best_constant(inside, len(base.arms)))  # what was brought is nothing for everybody
        policies: dict[str, Policy] = {CONSTANT: ConstantPolicy.of(playbook, constants[-1])}
        for name in dict.fromkeys((REWARD_MODEL, *learners)):
            progress(f"fold {f + 1} of {folds}: fitting {name}")
            batch = training_batch(inside, half_life)
            if name not in learners:  # it only predicts
                model = LEARNERS[name].fit(base, batch, seed + f, serves=False)
                q_hat[rows] = model.under(playbook.arms).scores(outside.features)
                continue
            model = LEARNERS[name].fit(base, batch, seed + f, (tuned or {}).get(name), heads=heads(base))
            policies[name] = ServedPolicy.of(model, base.spec.exploration, base.arms.lever).under(playbook)
        for name, policy in policies.items():
            choice = policy.choose(outside.features, outside.eligible)
            odds.setdefault(name, np.zeros(log.eligible.shape))[rows] = choice.odds
            best.setdefault(name, np.zeros(len(log), dtype=np.int64))[rows] = choice.best
            if name == REWARD_MODEL:
                q_hat[rows] = choice.scores
    chooses = trains if judges is None else trains & judges
    return _chosen(log, fold, chooses, q_hat, odds, best, constants)


def _chosen(
    log: DecisionLog,
    fold: Ints,
    trains: Bools,
    q_hat: Floats,
    odds: dict[str, Floats],
    best: dict[str, Ints],
    constants: list[int],
) -> Chosen:
    scores = doubly_robust(log, q_hat)
    values = {name: scores[np.arange(len(log)), arm] for name, arm in best.items()}
    n, k = log.eligible.shape
    served, greedy = np.zeros((n, k)), np.zeros((n, k))
    chosen = []
    for f in range(fold.max() + 1):
        rows, others = fold == f, (fold != f) & trains
        means = {name: float(v[others].mean()) for name, v in values.items()}
        chosen.append(max(means, key=means.__getitem__))
        served[rows] = odds[chosen[-1]][rows]
        greedy[rows] = one_hot(best[chosen[-1]][rows], k)
    candidates = [candidate(name, v[trains]) for name, v in values.items()]
    candidates.sort(key=lambda c: -c.value)
    crossed = CrossFitted(
        q_hat=q_hat,
        greedy=greedy,
        served=served,
        constant=one_hot(best[CONSTANT], k),
        chosen=tuple(chosen),
        constants=tuple(constants),
    )
    return Chosen(
        specification=candidates[0].specification, candidates=tuple(candidates), crossed=crossed, served=odds
    )
