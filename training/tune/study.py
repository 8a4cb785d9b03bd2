"""A study of trials that survives its processes. The one module that imports optuna.

A study rests on its basis: the playbook, the reward and the very decisions that its trials are valued on, and
how the log is cut. Another basis is another study. Several processes, and machines, may work on one at once;
what one of them left unfinished when it died is marked failed by the next.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from experiments.ope import Estimate
from nba.errors import CorruptArtefact, InvalidInput, NotEnoughData, NotFound, StoreUnavailable
from nba.playbook.compile import Playbook
from nba.playbook.rules import nearest
from training.tune.bench import Bench
from training.tune.space import Tried, proposed

BASIS, AS_OF, DEFAULT = "basis", "as_of", "default"
_BEAT = 30  # seconds from one sign of life of a running trial to the next
_DEAD = 120  # seconds without one
_WAIT = 60.0  # seconds that SQLite waits for another writer
_UNPRUNED = 5  # trials that finish before any is stopped early
_STARTUP = 10  # trials at random before the sampler learns
_COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
Basis = Mapping[str, str]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A trial that came to its end.

    Attributes:
        value: of all parts together; None where it was stopped early or refused, and `reason` says why.
        steps: how far it stood from what the log earned after each part, all of them together so far.
        params: as Optuna keeps them, what a trial changes included.
    """

    number: int
    tried: Tried
    params: Mapping[str, Any]
    value: Estimate | None
    reason: str
    steps: tuple[float, ...]
    started_at: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What a study tries: the arguments of `training.tune.space.proposed`."""

    playbook: Playbook
    learners: tuple[str, ...]
    explore: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """An open study."""

    name: str
    basis: Basis
    optuna: Any = field(repr=False)

    def work(
        self, bench: Bench, space: Space, *, trials: int, until: Callable[[], bool], seed: int, tell: Tell
    ) -> None:
        """Try until the study has so many trials, those of others included, or until it is time to end.

        Ctrl-C marks the trial under way as failed and is passed on; what is finished stays.
        """
        self._queue_defaults(space)
        study = self.optuna
        study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTUP)
        study.pruner = optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED)

        def step(trial: Any) -> float:
            if self._count(before=trial.number) >= trials:  # another process was quicker
                study.stop()
                raise _Surplus
            return _valued(trial, bench, space, tell)

        def enough(study: Any, trial: FrozenTrial) -> None:
            done = self._count()
            tell(f"{done} of {trials} trials")
            if done >= trials or until():
                study.stop()

        if self._count() >= trials or until():
            return
        with _quiet():
            study.optimize(step, callbacks=[enough], catch=(_Surplus,))

    def finished(self) -> list[Finished]:
        """Trials that are complete or were stopped early, by number."""
        found = self.optuna.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
        return [_finished(trial) for trial in found if "tried" in trial.user_attrs]

    def importance(self) -> dict[str, float]:
        """How much of the spread of values each parameter explains, most first; they sum to 1.

        By PED-ANOVA, Watanabe et al. (2023). Empty below four complete trials that differ.
        """
        complete = self.optuna.get_trials(states=(TrialState.COMPLETE,))
        if len(complete) < 4 or len({trial.value for trial in complete}) < 2:
            return {}
        with _quiet():
            found = optuna.importance.get_param_importances(self.optuna)
        return {name: float(share) for name, share in found.items()}

    def _count(self, before: int | None = None) -> int:
        trials = self.optuna.get_trials(deepcopy=False, states=_COUNTED)
        return sum(before is None or trial.number < before for trial in trials)

    def _queue_defaults(self, space: Space) -> None:
        """Let every learner be tried as it is first, where that was not done and is not being done."""
        states = (*_COUNTED, TrialState.WAITING)
        known = self.optuna.get_trials(deepcopy=False, states=states)
        there = {trial.user_attrs.get(DEFAULT) for trial in known}
        for learner in space.learners:
            if learner not in there:
                self.optuna.enqueue_trial({"learner": learner}, user_attrs={DEFAULT: learner})


class _Surplus(Exception):
    """There are enough trials: this one came too late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A study that is there; `as_of`, epoch seconds, is the moment that its log was read at."""

    basis: Basis
    as_of: float


def opened(storage: str, name: str, basis: Basis, as_of: float, *, resume: bool | None) -> Study:
    """The study of that name, made where it is not there.

    Args:
        storage: an SQLAlchemy address, such as sqlite:///tuning.db.
        as_of: kept with a new study, so that who goes on with it need not say it again.
        resume: True where it has to be there, False where it must not, None for either.

    Raises:
        NotFound: it is to be resumed and is not there.
        InvalidInput: it is there and should not be, or rests on another basis: what differs.
        StoreUnavailable: the storage can't be used.
    """
    with _told(storage):
        backend = _storage(storage)
        names = optuna.get_all_study_names(backend)
        if resume and name not in names:
            raise NotFound(f"there is no study {name!r} to resume{nearest(name, names)}")
        if resume is False and name in names:
            raise InvalidInput.of("study", f"{name!r} is there already; --resume goes on with it")
        study = optuna.create_study(
            storage=backend, study_name=name, direction="maximize", load_if_exists=True
        )
        kept = study.user_attrs.get(BASIS)
        if kept is None:
            study.set_user_attr(AS_OF, as_of)
            study.set_user_attr(BASIS, dict(basis))
        elif kept != dict(basis):
            raise InvalidInput.of("study", f"{name!r} {_difference(kept, basis)}")
    return Study(name=name, basis=dict(basis), optuna=study)


def known_studies(storage: str) -> dict[str, Known]:
    """The studies that there are, by name, oldest first.

    Raises:
        StoreUnavailable: the storage can't be used.
    """
    with _told(storage):
        found = optuna.get_all_study_summaries(_storage(storage), include_best_trial=False)
    kept = {study.study_name: study.user_attrs for study in sorted(found, key=lambda s: s._study_id)}
    return {
        name: Known(basis=dict(attrs[BASIS]), as_of=float(attrs[AS_OF]))
        for name, attrs in kept.items()
        if BASIS in attrs
    }


def _valued(trial: Any, bench: Bench, space: Space, tell: Tell) -> float:
    """The value of what a trial proposes; it is stopped early where it stands below most others."""
    if DEFAULT in trial.user_attrs:
        tried = Tried(learner=trial.suggest_categorical("learner", list(space.learners)))
    else:
        tried = proposed(trial, space.playbook, space.learners, space.explore)
    trial.set_user_attr("tried", asdict(tried))
    odds = []
    for i, fold in enumerate(bench.folds):
        tell(f"trial {trial.number}: {tried.learner}, part {i + 1} of {len(bench.folds)}")
        try:
            odds.append(bench.odds(tried, fold.split))
            found = bench.value(odds)
        except (NotEnoughData, CorruptArtefact, InvalidInput) as error:  # what diverges is no reason to stop
            trial.set_user_attr("reason", f"refused: {error.detail}")
            raise optuna.TrialPruned("refused") from None
        trial.report(found.value - bench.logged(len(odds)), i)
        if i + 1 < len(bench.folds) and not tried.is_default and trial.should_prune():
            trial.set_user_attr("reason", f"stopped after part {i + 1}: below the median of the others")
            raise optuna.TrialPruned("median")
    trial.set_user_attr("estimate", asdict(found))
    return found.value


def _finished(trial: FrozenTrial) -> Finished:
    kept, told = trial.user_attrs.get("estimate"), trial.user_attrs["tried"]
    begun, ended = trial.datetime_start, trial.datetime_complete
    return Finished(
        number=trial.number,
        tried=Tried(**told),
        params=dict(trial.params),
        value=None if kept is None else Estimate(**kept),
        reason=str(trial.user_attrs.get("reason", "")),
        steps=tuple(float(v) for _, v in sorted(trial.intermediate_values.items())),
        started_at=0.0 if begun is None else begun.timestamp(),
        seconds=0.0 if begun is None or ended is None else (ended - begun).total_seconds(),
    )


def _storage(url: str) -> Any:
    options: dict[str, Any] = {}
    if url.startswith("sqlite"):
        options = {"connect_args": {"timeout": _WAIT}}
    with _quiet():
        return optuna.storages.RDBStorage(
            url, engine_kwargs=options, heartbeat_interval=_BEAT, grace_period=_DEAD
        )


def _difference(kept: Basis, basis: Basis) -> str:
    differ: Sequence[str] = [name for name in basis if kept.get(name) != basis[name]]
    told = ", ".join(f"{name} {kept.get(name, 'unknown')} and not {basis[name]}" for name in differ)
    return f"is about something else: {told}; leave --study out or name a new one"


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's own lines, and without its warnings of what it calls experimental."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.filterwarnings("ignore", message="Some regimes for parameter")  # few trials, as told
            yield
    finally:
        optuna.logging.set_verbosity(before)


@contextmanager
def _told(storage: str) -> Iterator[None]:
    """What Optuna and its database raise is told as ours."""
    try:
        with _quiet():
            yield
    except (InvalidInput, NotFound):
        raise
    except Exception as error:  # whatever the database or its driver raises
        detail = (str(error).splitlines() or [type(error).__name__])[0]
        raise StoreUnavailable(f"the studies at {_shown(storage)} can't be used: {detail}") from None


def _shown(url: str) -> str:
    """An address without its password."""
    head, at, rest = url.rpartition("@")
    return f"{head.rpartition(':')[0]}:***@{rest}" if at and ":" in head.partition("://")[2] else url
