"""The playbook's experiments: how far each has come, and what one has shown, with its own intervals."""

from __future__ import annotations

import math
from typing import Any

from experiments.report.experiment import Analysed, analyse, read_cohorts, verdict
from experiments.report.experiment.show import unit
from experiments.report.experiment.state import state_of
from nba.errors import InvalidInput, NbaError, NotEnoughData, NotFound, TooLarge
from nba.playbook.experiment import Experiment
from serving.console import trial_tables, trials
from serving.console.charts import intervals
from serving.console.desk import Ask, Desk, Shown
from serving.console.words import Words

_FRESH = 120.0
_MOST = 200_000


def show(desk: Desk, ask: Ask) -> Shown:
    experiments = desk.live.playbook.spec.experiments
    if ask.rest:
        return _one(desk, ask, experiments)
    now = desk.now()
    rows = [
        {"experiment": e, "state": "not started" if math.isnan(now) else state_of(e, now)}
        for e in experiments
    ]
    return Shown(template="experiments.html", values={"rows": rows, "methods": trials.METHODS})


def _one(desk: Desk, ask: Ask, experiments: list[Experiment]) -> Shown:
    wanted = next((e for e in experiments if e.name == ask.rest), None)
    if wanted is None:
        raise NotFound("the playbook has no experiment of this name")
    now = desk.now()
    if math.isnan(now):
        raise NotFound("the store has no decisions yet, so there is nothing to report")
    key = ("experiment", wanted.name, desk.live.playbook.version)
    kept = desk.kept(key, _FRESH, lambda: _analysed(desk, wanted, now))
    if isinstance(kept.value, NbaError):
        values: dict[str, Any] = {"experiment": wanted, "said": kept.value.detail}
    else:
        values = {"experiment": wanted, "said": None, **_values(kept.value, ask.words, desk)}
    return Shown(template="experiment.html", values=values, at=kept.at)


def _analysed(desk: Desk, wanted: Experiment, now: float) -> Analysed | NbaError:
    read = 0

    def progress(decisions: int) -> None:
        nonlocal read
        read += decisions
        if read > _MOST:
            raise TooLarge("the log is too long to be analysed while you wait: nba experiment report does it")

    playbook = desk.live.playbook
    try:
        cohorts = read_cohorts(desk.store, playbook, [wanted], as_of=now, progress=progress)
        return analyse(cohorts[wanted.name])
    except (InvalidInput, NotEnoughData, TooLarge) as error:
        return error


def _values(found: Analysed, words: Words, desk: Desk) -> dict[str, Any]:
    money = unit(found.cohort, desk.live.playbook.spec.currency)
    drawn = [
        (f"{c.metric}: {c.variant}", c.tested.absolute.value, c.tested.absolute.low, c.tested.absolute.high)
        for c in found.primary
        if not isinstance(c.tested.absolute, NotEnoughData)
    ]
    title = words("Difference to control in the primary metric")
    return {
        "state": state_of(found.cohort.experiment, found.cohort.as_of),
        "call": verdict(found, money).call,
        "why": trials.why(found, words, money),
        "method": trials.METHODS[found.cohort.experiment.analysis.method],
        "chart": intervals(title, drawn, lambda value: words.number(value, 2)),
        "tables": trial_tables.tables(found, words),
        "warnings": trials.warnings(found, words),
        "notes": trials.notes(found, words),
        "exposed": len(found.cohort),
        "mature": found.cohort.mature,
    }
