"""The whole contest: who plays what, in which processes, and what came of it. Knows no ranks.

A rival's setting is chosen per set, by its error on the first shuffles of that very set: in its favour,
since those shuffles count in its result too.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from experiments.bakeoff.columns import Rounds
from experiments.bakeoff.entrants import ENTRANTS
from experiments.bakeoff.game import Game, play
from experiments.bakeoff.tasks import Task

TUNING = 2  # shuffles on which a rival's setting is chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One game: a shuffle of a set, played by an entrant with one of its settings."""

    task: str
    entrant: str
    setting: int
    shuffle: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All that was played for the table.

    Attributes:
        games: by (set, entrant), one a shuffle, each with the setting of `chosen`.
        chosen: by (set, entrant), the index of the setting.
        rows: how many rounds each set was played.
    """

    games: Mapping[tuple[str, str], tuple[Game, ...]]
    chosen: Mapping[tuple[str, str], int]
    rows: Mapping[str, int]

    @property
    def tasks(self) -> list[str]:
        return list(dict.fromkeys(task for task, _ in self.games))

    @property
    def entrants(self) -> list[str]:
        return list(dict.fromkeys(entrant for _, entrant in self.games))

    def errors(self, task: str, entrant: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """(shuffles,) progressive errors."""
        return np.array([game.error for game in self.games[task, entrant]])


Progress = Callable[[int, int], None]  # games played, games there will be


def contest(
    tasks: Sequence[Task],
    entrants: Sequence[str],
    *,
    shuffles: int,
    rows: int | None,
    workers: int = 2,
    progress: Progress = lambda done, total: None,
) -> Result:
    """Play every set with every entrant. The same call gives the same errors, however many workers."""
    tuning = min(TUNING, shuffles)
    first = [
        Job(task=task.name, entrant=name, setting=setting, shuffle=shuffle)
        for task in sorted(tasks, key=len, reverse=True)  # the longest first, so that none is waited for
        for name in entrants
        for setting in range(len(ENTRANTS[name].grid))
        for shuffle in range(tuning)
    ]
    pairs = [(task.name, name) for task in tasks for name in entrants]
    total = len(first) + len(pairs) * (shuffles - tuning)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        max_workers=workers, mp_context=context, initializer=_start, initargs=(list(tasks), rows)
    ) as pool:
        played = _all(pool, first, lambda done: progress(done, total))
        chosen = {pair: _best(played, pair, tuning) for pair in pairs}
        rest = [
            Job(task=task, entrant=name, setting=chosen[task, name], shuffle=shuffle)
            for task, name in sorted(pairs, key=lambda p: -len(next(t for t in tasks if t.name == p[0])))
            for shuffle in range(tuning, shuffles)
        ]
        played |= _all(pool, rest, lambda done: progress(len(first) + done, total))
    games = {
        (task, name): tuple(
            played[Job(task=task, entrant=name, setting=chosen[task, name], shuffle=s)]
            for s in range(shuffles)
        )
        for task, name in pairs
    }
    return Result(games=games, chosen=chosen, rows={t.name: min(len(t), rows or len(t)) for t in tasks})


def _all(pool: ProcessPoolExecutor, jobs: Iterable[Job], progress: Callable[[int], None]) -> dict[Job, Game]:
    waiting = {pool.submit(_play, job): job for job in jobs}
    played = {}
    for done, future in enumerate(as_completed(waiting), start=1):
        played[waiting[future]] = future.result()
        progress(done)
    return played


def _best(played: Mapping[Job, Game], pair: tuple[str, str], tuning: int) -> int:
    """The setting of the least mean error over the tuning shuffles; ties: the first."""
    task, name = pair
    settings = range(len(ENTRANTS[name].grid))
    errors = [
        np.mean([played[Job(task=task, entrant=name, setting=i, shuffle=s)].error for s in range(tuning)])
        for i in settings
    ]
    return int(np.argmin(errors))


_tasks: dict[str, Task] = {}  # of this worker
_rows: list[int | None] = [None]


def _start(tasks: list[Task], rows: int | None) -> None:
    _tasks.update({task.name: task for task in tasks})
    _rows[0] = rows


@lru_cache(maxsize=2)
def _rounds(task: str, shuffle: int) -> Rounds:
    return Rounds(_tasks[task].shuffled(shuffle, _rows[0]))


def _play(job: Job) -> Game:
    rounds = _rounds(job.task, job.shuffle)
    return play(ENTRANTS[job.entrant].make(rounds, job.setting, job.shuffle), rounds, job.shuffle)
