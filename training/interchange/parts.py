"""The parts of an export: numbered files that are whole or not there, what is wanted of a log, touchpoints.

No customer ids and no properties of touchpoints go out; identity, profile and consent, which say nothing
else, are left out.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from nba.errors import InvalidInput
from nba.playbook.arms import NO_CONTACT
from nba.playbook.compile import Playbook
from nba.stores.ports import DecisionRow, DrawRow, Store, TouchpointRow
from training.interchange.columns import TOUCHPOINTS, touchpoint_table
from training.interchange.earned import CONTACTS
from training.interchange.manifest import File, Kind, digest
from training.policy.rows import parsed

GROUPS = ("treatment", "random_eligible", "holdout")
ROWS = 500_000  # of a file
_PRIVATE = ("identify", "profile", "consent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of a log to export: decisions in [since, as_of), with the rewards known at `as_of`.

    Attributes:
        groups: of the decisions; empty for all.
    """

    as_of: float
    since: float = float("-inf")
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for group in self.groups:
            if group not in GROUPS:
                raise InvalidInput.of("group", f"is one of {', '.join(GROUPS)}, not {group!r}")
        if not self.since < self.as_of:
            raise InvalidInput.of("since", "must be before --as-of")

    def of(self, rows: Sequence[DecisionRow]) -> list[DecisionRow]:
        """Those that are wanted; of customers who were erased nothing is exported."""
        wanted = (row for row in rows if not row.erased)
        return [row for row in wanted if not self.groups or row.group in self.groups]


def customers(store: Store, wanted: Wanted) -> pl.Series | None:
    """Surrogates of the customers whose decisions are exported; None for everybody."""
    if not wanted.groups:
        return None
    chunks = [pl.Series(dtype=pl.String)]
    for draws in store.draws(wanted.since, wanted.as_of):
        chunks.append(pl.Series([d.surrogate for d in draws if d.group in wanted.groups], dtype=pl.String))
        if len(chunks) > 20:
            chunks = [pl.concat(chunks).unique()]
    return pl.concat(chunks).unique()


def parsed_of(store: Store, version: str) -> Playbook:
    """The playbook of a decision. Raises InvalidInput."""
    text = store.playbook(version)
    if text is None:
        raise InvalidInput.of("playbook", f"the store does not keep {version}, which decisions name")
    return parsed(text, version)


@dataclass(slots=True)
class _Open:
    """A file that is being written."""

    path: Path
    writer: pq.ParquetWriter
    rows: int = 0


@dataclass(slots=True)
class Writer:
    """Tables into numbered files: by kind, and by playbook, since its features are the columns."""

    folder: Path
    done: list[File] = field(default_factory=list)
    _open: dict[tuple[Kind, str], _Open] = field(default_factory=dict)
    _count: Counter[str] = field(default_factory=Counter)

    def write(self, kind: Kind, table: pa.Table, playbook: str = "") -> None:
        file = self.require(kind, table.schema, playbook)
        file.writer.write_table(table)
        file.rows += len(table)
        if file.rows >= ROWS:
            self._finish(kind, playbook)

    def require(self, kind: Kind, schema: pa.Schema, playbook: str = "") -> _Open:
        """The open file of this kind; a new one where there is none."""
        if (kind, playbook) not in self._open:
            path = self.folder / kind / f"{self._count[kind]:05}.parquet"
            self._count[kind] += 1
            path.parent.mkdir(exist_ok=True)
            self._open[kind, playbook] = _Open(path, pq.ParquetWriter(path, schema, compression="zstd"))
        return self._open[kind, playbook]

    def close(self) -> list[File]:
        for kind, playbook in list(self._open):
            self._finish(kind, playbook)
        return sorted(self.done, key=attrgetter("path"))

    def _finish(self, kind: Kind, playbook: str) -> None:
        file = self._open.pop((kind, playbook))
        file.writer.close()
        sync(file.path)
        name = file.path.relative_to(self.folder).as_posix()
        told = File(path=name, kind=kind, rows=file.rows, sha256=digest(file.path), playbook=playbook)
        self.done.append(told)


def write_touchpoints(store: Store, wanted: Wanted, writer: Writer) -> set[str]:
    """Write them, and say of which decisions nothing was sent."""
    only, unsent = customers(store, wanted), set[str]()
    erased = {row.surrogate for row in store.erased()}
    for rows in store.touchpoints(wanted.since, wanted.as_of):
        unsent.update(row.decision_id for row in rows if row.type == "not_sent" and row.decision_id)
        table = touchpoint_table([row for row in _shared(rows, only) if row.surrogate not in erased])
        if len(table):
            writer.write("touchpoints", table)
    writer.require("touchpoints", TOUCHPOINTS)
    writer.close()  # they are read again for the rewards
    return unsent


def _shared(rows: Sequence[TouchpointRow], only: pl.Series | None) -> list[TouchpointRow]:
    shared = [row for row in rows if row.type not in _PRIVATE]
    if only is None:
        return shared
    known = pl.Series([row.surrogate for row in shared], dtype=pl.String).is_in(only.implode())
    return [row for row, is_known in zip(shared, known.to_list(), strict=True) if is_known]


def write_contacts(store: Store, wanted: Wanted, folder: Path) -> None:
    """Who was contacted when, for the time of the export: overlaps look ahead."""
    folder.mkdir()
    pl.DataFrame(schema=CONTACTS).write_parquet(folder / "00000.parquet")
    for i, draws in enumerate(store.draws(wanted.since, wanted.as_of), start=1):
        cells = [(d.decision_id, d.surrogate, d.decided_at) for d in draws if _is_contact(d)]
        frame = pl.DataFrame(cells, schema=CONTACTS, orient="row")
        frame.write_parquet(folder / f"{i:05}.parquet")


def _is_contact(draw: DrawRow) -> bool:
    return draw.status == "active" and draw.arm != NO_CONTACT


@contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """A folder beside `target` to write in, gone at the end; what is whole is put in place with `place`.

    Raises:
        InvalidInput: the target is there already, or can't be written.
    """
    if target.exists():
        raise InvalidInput.of("out", f"{target} is there already; name another")
    folder = target.with_name(f".{target.name}.{os.getpid()}.unfinished")
    try:
        folder.mkdir()
        yield folder
    except OSError as error:
        raise InvalidInput.of("out", f"{target} can't be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def place(path: Path, target: Path) -> None:
    """Give a folder or a file its name at once, once it is on disk."""
    sync(path)
    path.rename(target)
    sync(target.parent)


def sync(path: Path) -> None:
    """To disk, a folder's entries too."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
