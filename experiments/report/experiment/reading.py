"""Cohorts from the log: a customer enters at the first decision shown to them that carries the experiment.

The variant is the one logged there. All decisions of all experiments are read in one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from experiments.log import touchpoint_frame
from experiments.report.experiment.cohort import Cohort, Ints
from experiments.report.experiment.segments import memberships
from experiments.report.experiment.values import CONTACTS, metric_values, types_of
from experiments.report.kept import KeptPlaybooks
from nba.playbook.compile import Playbook
from nba.playbook.experiment import Experiment
from nba.stores.ports import DecisionRow, Store
from nba.trace import experiments_of


@dataclass(frozen=True, slots=True)
class _Entry:
    variant: str
    at: float
    playbook: str
    features: bytes


@dataclass(frozen=True, slots=True)
class _Entries:
    """One experiment's customers in order of first exposure."""

    experiment: Experiment
    first: dict[str, _Entry] = field(default_factory=dict)
    switched: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)

    def take(self, row: DecisionRow, variant: str) -> None:
        if not self.experiment.exposes_from <= row.decided_at < self.experiment.exposes_until:
            return  # of an earlier run under this name
        if row.status != "active":
            self.held.add(row.surrogate)
            return
        known = self.first.setdefault(
            row.surrogate, _Entry(variant, row.decided_at, row.playbook, row.features)
        )
        if known.variant != variant:
            self.switched.add(row.surrogate)


@dataclass(frozen=True, slots=True)
class _Read:
    """What one pass over the decisions gave."""

    entries: Sequence[_Entries]
    contacts: pl.DataFrame
    latest: float | None


def read_cohorts(
    store: Store,
    playbook: Playbook,
    experiments: Sequence[Experiment],
    *,
    as_of: float,
    progress: Callable[[int], None] = lambda decisions: None,
) -> dict[str, Cohort]:
    """Experiment → its cohort, empty where nobody was exposed before `as_of`.

    Outcomes are worth what `playbook` says, contacts cost what the playbook of their decision said.

    Args:
        progress: told how many decisions each chunk had.

    Raises:
        InvalidInput: a playbook that the store lacks; a segment's rule that is none.
    """
    kept = KeptPlaybooks(playbook, store)
    read = _read(store, kept, experiments, as_of, progress)
    starts = [
        next(iter(entries.first.values())).at - entries.experiment.before
        for entries in read.entries
        if entries.first
    ]
    types = {name for experiment in experiments for name in types_of(experiment.metrics)}
    touchpoints = touchpoint_frame(store, playbook, since=min(starts, default=as_of), until=as_of, also=types)
    return {
        entries.experiment.name: _cohort(entries, read, touchpoints, playbook, kept, as_of)
        for entries in read.entries
    }


def _read(
    store: Store,
    kept: KeptPlaybooks,
    experiments: Sequence[Experiment],
    as_of: float,
    progress: Callable[[int], None],
) -> _Read:
    entries = {experiment.name: _Entries(experiment) for experiment in experiments}
    since = min((experiment.exposes_from - experiment.before for experiment in experiments), default=as_of)
    chunks = [pl.DataFrame(schema=CONTACTS)]
    latest = None
    for rows in store.decisions(since, as_of):
        for row in rows:
            for name, variant in experiments_of(row).items():
                if name in entries:
                    entries[name].take(row, variant)
        chunks.append(contact_frame(rows, kept))
        latest = rows[-1].decided_at
        progress(len(rows))
    return _Read(list(entries.values()), pl.concat(chunks), latest)


def contact_frame(rows: Sequence[DecisionRow], kept: KeptPlaybooks) -> pl.DataFrame:
    """The contacts among decisions that were shown, with what they cost."""
    cells = [
        (row.surrogate, row.decided_at, kept.cost(row))
        for row in rows
        if row.status == "active" and row.channel is not None
    ]
    return pl.DataFrame(cells, schema=CONTACTS, orient="row")


def _cohort(
    entries: _Entries,
    read: _Read,
    touchpoints: pl.DataFrame,
    playbook: Playbook,
    kept: KeptPlaybooks,
    as_of: float,
) -> Cohort:
    experiment = entries.experiment
    names = list(experiment.variants)
    known = {surrogate: entry for surrogate, entry in entries.first.items() if entry.variant in names}
    entered = np.array([entry.at for entry in known.values()], dtype=np.float64)
    logged = [(entry.playbook, entry.features) for entry in known.values()]
    return Cohort(
        experiment=experiment,
        as_of=as_of,
        variant=np.array([names.index(entry.variant) for entry in known.values()], dtype=np.int64),
        entered_at=entered,
        values=metric_values(
            experiment.metrics,
            pl.DataFrame(
                {"customer": list(known), "entered_at": entered},
                schema={"customer": pl.String, "entered_at": pl.Float64},
            ),
            touchpoints=touchpoints,
            contacts=read.contacts,
            objectives=playbook.spec.objectives,
            window=experiment.window,
            before=experiment.before,
        ),
        segments=memberships(experiment.segments, logged, playbook, kept),
        switched=len(entries.switched),
        reweighted=int(_reweighted(experiment, [version for version, _ in logged], kept).sum()),
        gone=len(entries.first) - len(known),
        held=len(entries.held - entries.first.keys()),
        settle=playbook.spec.learning.settle or 0.0,
        latest=read.latest,
    )


def _reweighted(experiment: Experiment, versions: Sequence[str], kept: KeptPlaybooks) -> Ints:
    """(n,) 1 for a customer who entered when the variants' shares were others than today's."""
    now = _shares(experiment)
    other: dict[str, int] = {}
    for version in set(versions):
        then = next((e for e in kept.of(version).spec.experiments if e.name == experiment.name), None)
        other[version] = 0 if then is None or _shares(then) == now else 1
    return np.array([other[version] for version in versions], dtype=np.int64)


def _shares(experiment: Experiment) -> dict[str, float]:
    total = sum(variant.weight for variant in experiment.variants.values())
    return {name: round(variant.weight / total, 12) for name, variant in experiment.variants.items()}
