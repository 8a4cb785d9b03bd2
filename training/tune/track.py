"""What a tuning leaves in MLflow: a run of the study, and under it one of every trial.

Runs are sent under ids of their own, so a study that goes on writes no trial twice; where MLflow is down they
wait in the store. A trial whose study's run waits itself is tied to it by the tag `study` alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from experiments.ope import Estimate
from experiments.tracking import RunRecord
from experiments.tracking.record import Metric
from nba.record import timestamp
from nba.stores.ports import Store
from training.policy.figures import png
from training.tune.figures import history_figure, importance_figure
from training.tune.result import Tuned
from training.tune.study import Finished

if TYPE_CHECKING:
    from training.tune.run import Settings

EXPERIMENT = "tuning"
PARENT = "mlflow.parentRunId"  # what makes MLflow's UI nest one run under another


def deliver(store: Store, tuned: Tuned, settings: Settings, started_at: float) -> Tuned:
    """Send them, or keep them until MLflow is back; with the id of the study's run, where it has one."""
    from experiments.backlog import Backlog
    from experiments.tracking import Tracker

    tracker, backlog = Tracker(), Backlog(store)
    delivered = backlog.deliver(tracker, session_record(tuned, settings, started_at))
    for trial in tuned.trials:
        backlog.deliver(tracker, trial_record(tuned, trial, delivered.run_id))
    return replace(tuned, run_id=delivered.run_id)


def session_record(tuned: Tuned, settings: Settings, started_at: float) -> RunRecord:
    """The run of this session: what was found so far, by all that worked on the study."""
    figures = {"history.png": png(history_figure(tuned.trials, tuned.currency))}
    if tuned.importance:
        figures["importance.png"] = png(importance_figure(tuned.importance))
    return RunRecord(
        experiment=EXPERIMENT,
        name=f"{tuned.study} {timestamp(started_at)}",
        started_at=started_at,
        params={
            "study": tuned.study,
            "as_of": timestamp(tuned.as_of),
            **tuned.basis,
            "trials": settings.trials,
            "workers": settings.workers,
            "best.learner": tuned.best.tried.learner,
            **{f"best.{name}": value for name, value in tuned.best.tried.settings.items()},
            **{f"best.exploration.{n}": v for n, v in tuned.best.tried.exploration.items()},
        },
        metrics=tuple(_metrics(tuned)),
        tags={"study": tuned.study, "proven": str(tuned.proven).lower()},
        tables={"trials.json": tuned.rows()},
        dicts={"tuning.json": tuned.to_json()},
        texts={"conclusion.txt": tuned.sentence() + "\n"},
        figures=figures,
    )


def trial_record(tuned: Tuned, trial: Finished, parent: str | None) -> RunRecord:
    """The run of one trial, nested under the session's where that has an id."""
    tried = trial.tried
    steps: list[Metric] = [("above_logged", value, i + 1) for i, value in enumerate(trial.steps)]
    tags = {"study": tuned.study, "state": "complete" if trial.value else trial.reason or "pruned"}
    return RunRecord(
        experiment=EXPERIMENT,
        name=f"trial {trial.number} {tried.learner}",
        started_at=trial.started_at,
        id=uuid5(NAMESPACE_URL, f"{tuned.study} {tuned.basis['data']} {trial.number} {trial.started_at}").hex,
        params={
            "learner": tried.learner,
            **tried.settings,
            **{f"exploration.{name}": value for name, value in tried.exploration.items()},
        },
        metrics=(*_estimate("", trial.value), *steps, ("seconds", trial.seconds, 0)),
        tags=tags if parent is None else tags | {PARENT: parent},
    )


def _metrics(tuned: Tuned) -> Iterator[Metric]:
    yield from _estimate("best.", tuned.best.value)
    if tuned.judged is not None:
        yield from _estimate("judged.tuned.", tuned.judged.tried)
        yield from _estimate("judged.default.", tuned.judged.default)
        yield from _estimate("judged.difference.", tuned.judged.difference)
    for name, share in tuned.importance.items():
        yield f"importance.{name}", share, 0
    best = None
    for trial in tuned.trials:
        if trial.value is not None:
            best = trial.value.value if best is None else max(best, trial.value.value)
            yield "best_so_far", best, trial.number


def _estimate(prefix: str, found: Estimate | None) -> Iterator[Metric]:
    if found is not None:
        for name in ("value", "stderr", "low", "high", "effective_n", "n_psi"):
            yield f"{prefix}{name}", float(getattr(found, name)), 0
