"""Run an ingest: judge batches, lay good rows aside, quarantine bad ones, then bring in what is new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from collections.abc import Mapping as Table
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from nba.errors import InvalidInput
from nba.playbook.declaration import CONTACT
from nba.playbook.feedback import Feedback
from training.ingest.batch import Batch
from training.ingest.quarantine import Quarantine
from training.ingest.validate import sift
from training.ingest.writer import Staging, alone

# Types that mean something by themselves; a playbook need not declare them.
KNOWN = frozenset(
    {CONTACT, "consent", "profile", "identify", "nps", "csat", "ces", "review", "comment", "complaint"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What an ingest did.

    Attributes:
        read: lines of the sources, good and bad.
        accepted: rows that are new in the history. A line may give several, so that accepted +
            duplicates + erased + quarantined equals `read` only where each line is one row.
        duplicates: good rows whose id was there already, in the history or earlier in this run.
        erased: good rows of customers who were erased since they happened; they stay out.
        quarantined: lines refused, by `field: reason`.
        undeclared: good rows of types that the playbook does not declare, by type.
        absent: per source, mapped columns that no line had.
        parts: the files written, relative to the history.
    """

    read: int
    accepted: int
    duplicates: int
    erased: int
    quarantined: Table[str, int]
    undeclared: Table[str, int]
    absent: Table[str, tuple[str, ...]]
    parts: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _silent(_lines: int) -> None:
    """No progress is shown."""


def _as_it_is(rows: pl.DataFrame) -> pl.DataFrame:
    """There is no store to say what is private."""
    return rows


def ingest(
    batches: Iterable[Batch],
    *,
    history: Path,
    quarantine: Path,
    as_of: float,
    declared: Collection[str] | None = None,
    feedback: Feedback = Feedback(),
    private: Callable[[pl.DataFrame], pl.DataFrame] = _as_it_is,
    progress: Callable[[int], None] = _silent,
) -> IngestReport:
    """Bring batches into the history; running it again with the same changes nothing.

    Nothing is written to the history before all batches are read.

    Args:
        as_of: epoch seconds; rows more than five minutes later are refused.
        declared: the playbook's touchpoint types; None asks for no warning.
        feedback: its scales of surveys.
        private: leaves out of good rows what the history must not know.
        progress: told the number of lines of each batch.

    Raises:
        InvalidInput: a source is unreadable, lacks a column, or there are no rows at all.
        StoreUnavailable: the history can't be written.
        CorruptArtefact: a file of the history can't be read.
    """
    with alone(history), closing(Staging(history)) as staging:
        refused = Quarantine(quarantine)
        try:
            tally = _read(batches, staging, refused, as_of, feedback, private, progress)
            refused.publish()
        finally:
            refused.discard()
        merged = list(staging.merge())
    accepted = sum(fresh for _, fresh, _ in merged)
    return IngestReport(
        read=tally.read,
        accepted=accepted,
        duplicates=sum(laid for laid, _, _ in merged) - accepted,
        erased=tally.erased,
        quarantined=dict(sorted(refused.reasons.items())),
        undeclared=_undeclared(tally.types, declared),
        absent={source: tuple(sorted(names)) for source, names in tally.absent.items() if names},
        parts=tuple(str(file.relative_to(history)) for _, _, file in merged if file is not None),
    )


@dataclass(slots=True, kw_only=True)
class _Tally:
    read: int
    erased: int
    types: Counter[str]
    absent: dict[str, frozenset[str]]


def _read(
    batches: Iterable[Batch],
    staging: Staging,
    refused: Quarantine,
    as_of: float,
    feedback: Feedback,
    private: Callable[[pl.DataFrame], pl.DataFrame],
    progress: Callable[[int], None],
) -> _Tally:
    tally = _Tally(read=0, erased=0, types=Counter(), absent={})
    for batch in batches:
        sound, bad = sift(batch.rows, as_of, feedback)
        good = private(sound)
        tally.erased += len(sound) - len(good)
        staging.add(good)
        refused.add(batch.source, pl.concat([batch.broken, bad]))
        tally.read += batch.read
        tally.absent[batch.source] = batch.absent
        tally.types.update(dict(good.group_by("type").len().iter_rows()))
        progress(batch.read)
    if tally.read == 0:
        raise InvalidInput.of("source", "no rows: there is nothing to ingest")
    return tally


def _undeclared(types: Counter[str], declared: Collection[str] | None) -> dict[str, int]:
    if declared is None:
        return {}
    return {name: types[name] for name in sorted(types) if name not in declared and name not in KNOWN}
