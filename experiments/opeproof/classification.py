"""Labelled sets as logged bandits: the reward is 1 for the label's arm, so every policy's value is known.

Half of a set trains two classifiers, one on little of it. From the other half, the pool, decisions are drawn
with replacement, so that the truth is the pool's mean to the last digit and intervals can be held against it:

    V(π) = mean over the pool of π(label | x)

Logging is uniform; or the small classifier, softened; or misled, which mostly does what the classifier would
not: there weights are heavy. The target is the full classifier, softened. Dudík et al. (2014), §4.1.1.
Ours is no tuned choice: what is fitted, softened and drawn was fixed before the first table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.bakeoff.columns import Rounds
from experiments.bakeoff.tasks import Task
from experiments.ope import Estimate, LoggedBatch, cross_fitted, estimate, slope
from experiments.ope.batch import Floats, Ints
from experiments.ope.fitted import ridge
from nba.errors import NotEnoughData

LOGGINGS = ("uniform", "small", "misled")
SHARES = {"small": 0.7, "misled": 0.8, "target": 0.9}
"""Of the odds that go to the arm that is meant; the rest is uniform."""

LITTLE = 0.1  # share of the training half that the small classifier sees
STRENGTH = 10.0  # of all ridges here
FOLDS = 3
LEVEL = 0.95
PLAIN = ("ips", "snips", "clipped-ips", "clipped-snips", "dm", "dr", "sndr", "switch-dr", "dr-os", "sg-dr")
TUNED = ("ips", "dr", "switch-dr", "dr-os")
ESTIMATORS = (*PLAIN, *(f"{name} by slope" for name in TUNED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One estimator on one set and pair of policies, over logs.

    Attributes:
        errors: relative errors V̂/V − 1 of the logs that were answered.
        held: how many intervals of those held the truth.
        logs: how many there were.
    """

    errors: tuple[float, ...]
    held: int
    logs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """All cells, by (set, logging, estimator), and the mean effective sample size by (set, logging)."""

    cells: dict[tuple[str, str, str], Cell]
    effective: dict[tuple[str, str], float]
    sets: tuple[str, ...]
    rows: int
    seeds: int


def prove(
    tasks: Sequence[Task], *, seeds: int, rows: int, progress: Callable[[str], None] = lambda _: None
) -> Proof:
    """Estimate the target's value from `seeds` logs of `rows` decisions, for each set and logging policy."""
    cells: dict[tuple[str, str, str], Cell] = {}
    effective: dict[tuple[str, str], float] = {}
    for task in tasks:
        for logging in LOGGINGS:
            found = [_judged(_world(task, logging, seed), rows, seed) for seed in range(seeds)]
            effective[task.name, logging] = float(np.mean([n for n, _ in found]))
            for name in ESTIMATORS:
                of_logs = [answers[name] for _, answers in found]
                cells[task.name, logging, name] = _cell(of_logs)
        progress(task.name)
    return Proof(
        cells=cells, effective=effective, sets=tuple(task.name for task in tasks), rows=rows, seeds=seeds
    )


def _cell(answers: Sequence[tuple[float, Estimate] | None]) -> Cell:
    known = [(truth, found) for truth, found in (a for a in answers if a is not None)]
    return Cell(
        errors=tuple(found.value / truth - 1 for truth, found in known),
        held=sum(found.low <= truth <= found.high for truth, found in known),
        logs=len(answers),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """The pool: columns (m, d), labels (m,), and odds (m, k) of the logging and the target policy."""

    columns: Floats
    label: Ints
    logging: Floats
    target: Floats

    @property
    def truth(self) -> float:
        return float(self.target[np.arange(len(self.label)), self.label].mean())

    def log(self, rows: int, seed: int) -> LoggedBatch:
        """`rows` decisions, with rewards predicted out of fold from the log itself."""
        rng = np.random.default_rng([seed, 1])
        at = rng.integers(len(self.label), size=rows)
        odds = self.logging[at]
        arm = (odds.cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1)
        reward = (arm == self.label[at]).astype(np.float64)
        arms = odds.shape[1]
        fit = ridge(STRENGTH)
        return LoggedBatch(
            reward=reward,
            arm=arm,
            propensity=odds[np.arange(rows), arm],
            target=self.target[at],
            q_hat=cross_fitted(self.columns[at], arm, reward, arms=arms, fit=fit, folds=FOLDS, seed=seed),
            logging=odds,
        )


def _world(task: Task, logging: str, seed: int) -> World:
    shuffled = task.shuffled(seed)
    X, half = Rounds(shuffled).columns("binned"), len(task) // 2
    full = _classified(X[:half], shuffled.label[:half], X[half:], task.arms)
    little = slice(0, max(int(LITTLE * half), 20))
    small = _classified(X[little], shuffled.label[little], X[half:], task.arms)
    meant = {"uniform": small, "small": small, "misled": (full + 1) % task.arms}[logging]
    return World(
        columns=X[half:],
        label=shuffled.label[half:],
        logging=_softened(meant, task.arms, SHARES.get(logging, 0.0)),
        target=_softened(full, task.arms, SHARES["target"]),
    )


def _classified(X: Floats, label: Ints, at: Floats, arms: int) -> Ints:
    """(m,) the class of the highest score of a ridge regression on indicators."""
    gram = X.T @ X + STRENGTH * np.eye(X.shape[1])
    weights = np.linalg.solve(gram, X.T @ np.eye(arms)[label])
    predicted: Ints = (at @ weights).argmax(axis=1).astype(np.int64)
    return predicted


def _softened(arm: Ints, arms: int, share: float) -> Floats:
    odds: Floats = np.full((len(arm), arms), (1 - share) / arms)
    odds[np.arange(len(arm)), arm] += share
    return odds


def _judged(world: World, rows: int, seed: int) -> tuple[float, dict[str, tuple[float, Estimate] | None]]:
    """The effective sample size, and by estimator (truth, estimate), None for a refusal."""
    batch = world.log(rows, seed)
    answers: dict[str, tuple[float, Estimate] | None] = {}
    for name in ESTIMATORS:
        try:
            answers[name] = (world.truth, _estimated(name, batch))
        except NotEnoughData:
            answers[name] = None
    weight = batch.weight
    return float(weight.sum() ** 2 / (weight @ weight)), answers


def _estimated(name: str, batch: LoggedBatch) -> Estimate:
    if name.endswith(" by slope"):
        return slope(name.removesuffix(" by slope"), batch).estimate(batch, LEVEL)
    return estimate(name, batch, LEVEL)
