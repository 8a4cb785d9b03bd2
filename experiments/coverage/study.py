"""Run the procedure on simulated logs and write down what it answered. It judges nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.coverage.cells import CELLS, ESTIMATORS, REWARDS, WEIGHTS, Cell
from experiments.coverage.rivals import Rivals, rivals_of
from experiments.coverage.world import World
from experiments.ope import LoggedBatch, difference, estimate
from experiments.ope.batch import Floats
from nba.errors import NotEnoughData

LEVEL = 0.95
SEED = 2_026_11
Progress = Callable[[int, int], None]  # logs done, logs there will be


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """What one estimator answered on a cell's logs.

    Attributes:
        low, high: (answered,) ends of the intervals.
        n_psi, effective: (logs,) of all logs, the refused ones too; 0 where no figure was given.
        student: (answered,) whether the interval was Student's.
        refusals: how many logs were refused.
        truth: the target's value.
        rivals: ends of the other intervals on the same logs, by name; empty where n_psi is small.
    """

    low: Floats
    high: Floats
    n_psi: Floats
    effective: Floats
    student: NDArray[np.bool_]
    refusals: int
    truth: float
    rivals: dict[str, Floats]

    @property
    def logs(self) -> int:
        return len(self.n_psi)


def study(
    cells: Sequence[Cell], logs: int, progress: Progress = lambda done, total: None
) -> dict[tuple[Cell, str], Answers]:
    """Answers by cell and estimator. The same call gives the same answers, whatever the other cells are."""
    found: dict[tuple[Cell, str], Answers] = {}
    for i, cell in enumerate(cells):

        def tell(done: int, before: int = i * logs) -> None:
            progress(before + done, len(cells) * logs)

        found |= {(cell, name): answers for name, answers in run(cell, logs, tell).items()}
    return found


def run(cell: Cell, logs: int, tell: Callable[[int], None] = lambda done: None) -> dict[str, Answers]:
    """One cell's answers by estimator."""
    world, reward = WEIGHTS[cell.weights], REWARDS[cell.reward]
    rng = np.random.default_rng([SEED, CELLS.index(cell)])
    drawn = world.logs(rng, logs=logs, customers=cell.customers, decisions=cell.decisions, reward=reward)
    tallies = {name: _Tally(world, rivals_of(cell, world, reward)) for name in ESTIMATORS}
    for done, batch in enumerate(drawn, start=1):
        for name, tally in tallies.items():
            tally.add(name, batch)
        tell(done)
    return {name: tally.answers(world.truth(reward)) for name, tally in tallies.items()}


class _Tally:
    """The answers of one estimator, log by log."""

    def __init__(self, world: World, rivals: Rivals) -> None:
        self._world = world
        self._ends: list[tuple[float, float]] = []
        self._figures: list[tuple[float, float]] = []
        self._student: list[bool] = []
        self._rivals = rivals

    def add(self, name: str, batch: LoggedBatch) -> None:
        try:
            second = self._world.second(batch)
            if second is None:
                found = estimate(name, batch, level=LEVEL)
            else:
                found = difference(name, batch, batch.target, second, level=LEVEL)
        except NotEnoughData as refusal:
            figures = refusal.figures
            self._figures.append((figures.get("n_psi", 0.0), figures.get("effective_n", 0.0)))
            return
        if found.interval == "exact":  # one policy on all that the log holds, which says nothing of the rest
            self._figures.append((0.0, found.effective_n))
            return
        self._figures.append((found.n_psi, found.effective_n))
        self._ends.append((found.low, found.high))
        self._student.append(found.interval == "student")
        if second is None:
            self._rivals.add(name, batch, found)

    def answers(self, truth: float) -> Answers:
        ends = np.array(self._ends).reshape(-1, 2)
        figures = np.array(self._figures)
        return Answers(
            low=ends[:, 0],
            high=ends[:, 1],
            n_psi=figures[:, 0],
            effective=figures[:, 1],
            student=np.array(self._student, dtype=bool),
            refusals=len(figures) - len(ends),
            truth=truth,
            rivals=self._rivals.ends(),
        )
