"""`nba tune`: from a decision log to settings: trials by one process or several, then the judgement.

Every process reads the log itself and finds the same decisions in it, which the study's basis makes sure of:
so a second machine joins a study just as a second worker does.
"""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path

from nba.commands.options import existing_store
from nba.errors import InvalidInput, NotEnoughData
from nba.playbook.compile import Playbook, load
from nba.record import timestamp
from nba.rewards.reward import reward_version
from nba.stores.ports import Store
from training.policy.learnable import FEWEST, learnable
from training.policy.log import DecisionLog
from training.policy.register import log_fingerprint
from training.tune.bench import Bench
from training.tune.naming import study_of
from training.tune.result import Judgement, Tuned, best_default, bests, worth
from training.tune.space import learners_for
from training.tune.splits import Splits, rolling
from training.tune.study import Basis, Space, Study, opened

Progress = Callable[[str], None]
_FAREWELL = 10.0  # seconds that a worker has to end by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What was asked for.

    Attributes:
        trials: that the study is to have in all, those of earlier sessions and other machines included.
        timeout: seconds after which no further trial begins; None for no end.
        learners: to tune; all that can serve where empty.
        explore: whether exploration is tuned too.
        workers: processes.
        study: its name; None for one that the basis gives.
        resume: True where the study has to be there, False for a new one, None for either.
        splits, held: as in `training.tune.splits.rolling`.
    """

    trials: int = 40
    timeout: float | None = None
    learners: tuple[str, ...] = ()
    explore: bool = True
    workers: int = 1
    study: str | None = None
    resume: bool | None = None
    splits: int = 3
    held: float = 0.25
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where everything is: what a worker needs to find the same study.

    Attributes:
        storage: the studies' own database, as an SQLAlchemy address.
    """

    playbook: Path
    store: str | None
    storage: str
    as_of: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """What every process makes of the place and the settings, each for itself and all alike."""

    space: Space
    log: DecisionLog
    splits: Splits
    basis: Basis

    @classmethod
    def of(cls, place: Place, settings: Settings) -> _Ready:
        book = load(place.playbook)
        learners = learners_for(book, settings.learners)
        with closing(existing_store(place.store)) as store:
            log = treated(store, book, place.as_of)
        window = book.spec.objectives.window + (book.spec.learning.settle or 0.0)
        return cls(
            space=Space(playbook=book, learners=learners, explore=settings.explore),
            log=log,
            splits=rolling(log.decided_at, window, splits=settings.splits, held=settings.held),
            basis=basis_of(book, log, settings, learners),
        )

    def bench(self, seed: int, progress: Progress) -> Bench:
        return Bench.of(self.space.playbook, self.log, self.splits, seed, progress)


def tune(place: Place, settings: Settings, progress: Progress = lambda _: None) -> Tuned:
    """Try, choose, and judge the choice on decisions that no trial saw.

    Ctrl-C ends it early: what is finished counts, and the study goes on when it is asked for again.

    Raises:
        InvalidInput: no such learner, trials or workers below 1, a study about something else.
        NotFound: a study to resume that is not there.
        NotEnoughData: too few decisions to part by time, or no trial was finished.
        StoreUnavailable: the studies' database can't be used.
    """
    _check(settings)
    progress("reading the decision log")
    ready = _Ready.of(place, settings)
    book = ready.space.playbook
    study = study_of(place.storage, settings.study, book, ready.basis, place.as_of, resume=settings.resume)
    bench = ready.bench(settings.seed, progress)
    interrupted = _tried(place, settings, study, bench, ready.space, progress)
    trials = study.finished()
    by_learner = bests(trials)
    tuned = Tuned(
        study=study.name,
        basis=ready.basis,
        as_of=place.as_of,
        currency=book.spec.currency,
        trials=trials,
        best=max(by_learner.values(), key=worth),
        by_learner=by_learner,
        judged=None,
        refused="it was interrupted" if interrupted else "",
        importance=study.importance(),
        interrupted=interrupted,
    )
    return tuned if interrupted else _judged(tuned, bench, progress)


def work(place: Place, settings: Settings, name: str, number: int, ends: float | None) -> None:
    """What one more process does: the same study, the same log, trials until there are enough."""
    with suppress(KeyboardInterrupt):
        ready = _Ready.of(place, settings)
        study = opened(place.storage, name, ready.basis, place.as_of, resume=True)
        bench = ready.bench(settings.seed, lambda _: None)
        _work(study, bench, ready.space, settings, number, ends, lambda _: None)


def treated(store: Store, playbook: Playbook, as_of: float) -> DecisionLog:
    """Mature decisions of the treatment group outside experiments.

    Raises:
        NotEnoughData: fewer than any learner can use.
    """
    found = learnable(store, playbook, as_of)
    log = found.log.where(found.log.group == "treatment")
    if len(log) < FEWEST:
        figures = {"mature": len(log), "immature": found.immature, "needed": FEWEST}
        raise NotEnoughData(
            "too few decisions of the treatment group have mature rewards to tune on",
            {name: float(figure) for name, figure in figures.items()},
        )
    return log


def basis_of(playbook: Playbook, log: DecisionLog, settings: Settings, learners: Sequence[str]) -> Basis:
    """What a study's values rest on; two that agree in it may share one study."""
    return {
        "playbook": playbook.version,
        "reward": reward_version(playbook),
        "data_from": str(timestamp(float(log.decided_at[0]))),
        "data_to": str(timestamp(float(log.decided_at[-1]))),
        "decisions": str(len(log)),
        "data": log_fingerprint(log)[:16],
        "splits": str(settings.splits),
        "held": f"{settings.held:g}",
        "seed": str(settings.seed),
        "among": ",".join(learners),
        "tunes": "learner and exploration" if settings.explore else "learner",
    }


def _tried(
    place: Place, settings: Settings, study: Study, bench: Bench, space: Space, progress: Progress
) -> bool:
    """Whether it was interrupted."""
    ends = None if settings.timeout is None else time.time() + settings.timeout
    others = [_worker(place, settings, study.name, number, ends) for number in range(1, settings.workers)]
    try:
        _work(study, bench, space, settings, 0, ends, progress)
        for process in others:
            progress("waiting for the other workers")
            process.join()
    except KeyboardInterrupt:
        return True
    finally:
        for process in others:
            _end(process)
    return False


def _worker(place: Place, settings: Settings, name: str, number: int, ends: float | None) -> BaseProcess:
    # a fresh interpreter: one that was copied would share LightGBM's threads and the database's connections
    process = multiprocessing.get_context("spawn").Process(
        target=work, args=(place, settings, name, number, ends), daemon=True
    )
    process.start()
    return process


def _end(process: BaseProcess) -> None:
    """Let it note that it was interrupted; then it has to go."""
    process.join(_FAREWELL)
    if process.is_alive():
        process.terminate()
        process.join()
    if process.exitcode:
        logging.getLogger(__name__).warning("a worker of nba tune ended with %s", process.exitcode)


def _work(
    study: Study,
    bench: Bench,
    space: Space,
    settings: Settings,
    number: int,
    ends: float | None,
    progress: Progress,
) -> None:
    study.work(
        bench,
        space,
        trials=settings.trials,
        until=lambda: ends is not None and time.time() >= ends,
        # one process alone repeats itself; further ones must not try the same
        seed=settings.seed + 7_919 * number + len(study.finished()),
        tell=progress,
    )


def _judged(tuned: Tuned, bench: Bench, progress: Progress) -> Tuned:
    """With the best trial beside the best defaults, on the part that was held back."""
    progress("judging the best on decisions that no trial saw")
    plain = best_default(tuned.trials)
    if plain is None:
        return replace(tuned, refused="no trial of the defaults was finished")
    try:
        one, other, gain = bench.last(tuned.best.tried, plain.tried)
    except NotEnoughData as error:
        return replace(tuned, refused=error.detail)
    found = Judgement(
        against=plain.tried, tried=one, default=other, difference=gain, rows=len(bench.final.value)
    )
    return replace(tuned, judged=found)


def _check(settings: Settings) -> None:
    for name, least in (("trials", 1), ("workers", 1), ("splits", 1)):
        if getattr(settings, name) < least:
            raise InvalidInput.of(name, f"is {least} or more, not {getattr(settings, name)}")
    if not 0.05 <= settings.held <= 0.6:
        raise InvalidInput.of("held", f"is a share from 0.05 to 0.6, not {settings.held:g}")
