"""Bring an exported folder into a store: all that can be checked first, then chunk by chunk.

Each chunk is one transaction, and ids make repeats harmless, so an import that was cut off is run again.
Surrogates stay as they are: random strings without meaning, to which the store that made them has the
customers. In another store nobody is behind them, so nothing can be decided for or reported of an imported
customer there, and the same customer stays the same over several imports.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow.parquet as pq

from experiments.log import displaced
from nba.erasing import erase_listed
from nba.errors import InvalidInput, InvalidPlaybook, SchemaMismatch
from nba.playbook.compile import Playbook
from nba.stores.ports import DecisionRow, Store, TouchpointRow, Transaction
from training.ingest.batch import BAD
from training.ingest.quarantine import Quarantine
from training.interchange.columns import TOUCHPOINTS, schema_of
from training.interchange.decode import Decoder, Wrong, check_schema, touchpoints_of
from training.interchange.manifest import File, Manifest
from training.policy.rows import parsed

CHUNK = 5_000  # rows in one transaction


@dataclass(slots=True, kw_only=True)
class Tally:
    """Rows by what became of them; `erased` are those of customers who were erased, here or where the log
    is from."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    erased: int = 0


@dataclass(slots=True, kw_only=True)
class Received:
    """What an import did; `first` is the first rejected row."""

    decisions: Tally = field(default_factory=Tally)
    touchpoints: Tally = field(default_factory=Tally)
    first: str | None = None


def receive(
    store: Store,
    folder: Path,
    manifest: Manifest,
    quarantine: Quarantine,
    *,
    progress: Callable[[int], None] = lambda rows: None,
) -> Received:
    """Bring in what `manifest.read` found whole; rejected rows go into the quarantine.

    Raises:
        SchemaMismatch: the store is on another clock; nothing was written.
        InvalidInput: a playbook or a file's columns are wrong; nothing was written.
        StoreUnavailable: what was brought in so far is kept, and the same call goes on from there.
    """
    if store.clock != manifest.clock:
        raise SchemaMismatch(
            f"the log is from a store on the {manifest.clock} clock, this one is on the {store.clock} clock;"
            " name another store"
        )
    books = _playbooks(folder, manifest, store)
    for file in manifest.of_kind("decisions"):
        check_schema(_schema(folder, file), schema_of(books[file.playbook]), f"{folder}/{file.path}")
    for file in manifest.of_kind("touchpoints"):
        check_schema(_schema(folder, file), TOUCHPOINTS, f"{folder}/{file.path}")
    for version, book in books.items():
        store.keep_playbook(version, book.text)
    erase_listed(store, manifest.erased, at=manifest.as_of, who="nba import")
    receiver = _Receiver(store, folder, manifest, quarantine, progress)
    for file in manifest.of_kind("touchpoints"):  # before the decisions, so that no reward lacks an outcome
        receiver.touchpoints(file)
    for file in manifest.of_kind("decisions"):
        receiver.decisions(file, Decoder(books[file.playbook], file.playbook))
    return receiver.received


def unsent(row: DecisionRow) -> TouchpointRow:
    """That a decision's contact gave way to another, as the log knows it without an outbox: nothing was
    sent. An outbox message would be delivered to an orchestrator that has nothing to do with it."""
    return TouchpointRow(
        source="outcome",
        id="displaced-" + hashlib.sha256(row.decision_id.encode()).hexdigest()[:32],
        surrogate=row.surrogate,
        type="not_sent",
        channel=None,
        occurred_at=row.decided_at,
        value=0.0,
        decision_id=row.decision_id,
    )


def append(
    transaction: Transaction, rows: Sequence[DecisionRow], people: Mapping[str, str] | None = None
) -> list[str | None]:
    """Append what is new. Of each row None, `duplicate`, or what is wrong with it.

    A decision that was held when it came and was shown since becomes active.

    Args:
        people: who is linked here, surrogate → person: exported rows stand under the person.
    """
    linked = people or {}
    known = transaction.answers([row.decision_id for row in rows])
    verdicts: list[str | None] = []
    fresh: dict[str, DecisionRow] = {}
    for row in rows:
        there = known.get(row.decision_id) or fresh.get(row.decision_id)
        if there is None:
            fresh[row.decision_id] = row
            verdicts.append(None)
        elif _same(replace(there, surrogate=linked.get(there.surrogate, there.surrogate)), row) or _same(
            there, row
        ):
            verdicts.append("duplicate")
            shown = row.activated_at if there.status == "held" and row.status == "active" else None
            if shown is not None and row.decision_id in known:
                transaction.activate(row.decision_id, shown)
        else:
            verdicts.append("the store has another decision with this id; leave it out")
    transaction.append_decisions(list(fresh.values()))
    return verdicts


def with_customer(rows: Sequence[DecisionRow], store: Store) -> list[DecisionRow]:
    """Answers name their customer again where the store knows who it is, else null."""
    names = store.names(list({row.surrogate for row in rows}))
    return [replace(row, body=_named(row.body, names.get(row.surrogate))) for row in rows]


def _named(body: bytes, customer_id: str | None) -> bytes:
    answer: dict[str, Any] = orjson.loads(body)
    first = {"decision_id": answer.pop("decision_id", None), "customer_id": customer_id}
    return orjson.dumps({**first, **answer})


def _same(there: DecisionRow, row: DecisionRow) -> bool:
    names = ("surrogate", "decided_at", "arm", "propensity", "group", "policy", "playbook", "eligible")
    return all(getattr(there, name) == getattr(row, name) for name in names)


def _schema(folder: Path, file: File) -> Any:
    try:
        return pq.read_schema(folder / file.path)
    except (OSError, ValueError) as error:
        raise InvalidInput.of(file.path, f"is no Parquet file: {error}", source=str(folder)) from None


def _playbooks(folder: Path, manifest: Manifest, store: Store) -> dict[str, Playbook]:
    """Version → playbook, checked. Raises InvalidInput."""
    books = {}
    for file in manifest.of_kind("playbook"):
        try:
            book = parsed((folder / file.path).read_bytes().decode(), file.playbook)
        except (InvalidPlaybook, UnicodeDecodeError) as error:
            detail = f"this program can't read the playbook: {error}; use the version that exported it"
            raise InvalidInput.of(file.path, detail, source=str(folder)) from None
        kept = store.playbook(file.playbook)
        if kept is not None and not _alike(parsed(kept, file.playbook), book):
            detail = f"the store has another playbook {file.playbook}, with other arms or features"
            raise InvalidInput.of(file.path, detail, source=str(folder))
        books[file.playbook] = book
    return books


def _alike(one: Playbook, other: Playbook) -> bool:
    """Whether decisions mean the same under both."""
    return one.schema.features == other.schema.features and one.arms.names == other.arms.names


class _Receiver:
    """Files into the store, counting."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        manifest: Manifest,
        quarantine: Quarantine,
        progress: Callable[[int], None],
    ) -> None:
        self._store = store
        self._folder = folder
        self._erased = frozenset(manifest.erased) | {row.surrogate for row in store.erased()}
        self._quarantine = quarantine
        self._progress = progress
        self._displaced = displaced(store)
        self._people = store.people()
        self.received = Received()

    def decisions(self, file: File, decoder: Decoder) -> None:
        tally = self.received.decisions
        for start, batch in self._batches(file, decoder.schema.names):
            read = decoder.decode(batch)
            rows = dict(self._known({i: row for i, (row, _) in read.rows.items()}, tally))
            named = with_customer(list(rows.values()), self._store)
            gone = [r for i, r in rows.items() if read.rows[i][1] and r.decision_id not in self._displaced]
            with self._store.transaction() as transaction:
                verdicts = append(transaction, named, self._people)
                transaction.append_touchpoints([unsent(row) for row in gone])
            refused = zip(rows, verdicts, strict=True)
            wrong = [Wrong(i, "decision_id", v) for i, v in refused if v not in (None, "duplicate")]
            tally.accepted += verdicts.count(None)
            tally.duplicates += verdicts.count("duplicate")
            self._reject(file, start, [*read.wrong, *wrong], tally)
            self._progress(len(batch))

    def touchpoints(self, file: File) -> None:
        tally = self.received.touchpoints
        for start, batch in self._batches(file, TOUCHPOINTS.names):
            read, wrong = touchpoints_of(batch)
            rows = [row for _, row in self._known(read, tally)]
            with self._store.transaction() as transaction:
                new = transaction.append_touchpoints(rows)
            tally.accepted += sum(new)
            tally.duplicates += len(new) - sum(new)
            self._reject(file, start, wrong, tally)
            self._progress(len(batch))

    def _batches(self, file: File, names: list[str]) -> Iterator[tuple[int, Any]]:
        """Batches with the place of their first row, counted from 1."""
        start = 1
        for batch in pq.ParquetFile(self._folder / file.path).iter_batches(CHUNK, columns=names):
            yield start, batch
            start += len(batch)

    def _known(self, rows: Mapping[int, Any], tally: Tally) -> Iterator[tuple[int, Any]]:
        """Without what is of customers who were erased."""
        for i, row in rows.items():
            if row.surrogate in self._erased:
                tally.erased += 1
            else:
                yield i, row

    def _reject(self, file: File, start: int, wrong: Sequence[Wrong], tally: Tally) -> None:
        tally.rejected += len(wrong)
        cells = [(start + w.row, w.field, w.detail, "") for w in sorted(wrong)]
        source = f"{self._folder.name}/{file.path}"
        self._quarantine.add(source, pl.DataFrame(cells, schema=BAD, orient="row"))
        if wrong and self.received.first is None:
            line, name, detail, _ = cells[0]
            self.received.first = f"{source}, row {line}: {name}: {detail}"
