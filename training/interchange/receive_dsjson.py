"""Bring a dsjson log into a store, chunk by chunk; lines that can't be taken go into the quarantine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import polars as pl

from nba.errors import InvalidInput
from nba.stores.ports import DecisionRow, Store, TouchpointRow
from training.ingest.batch import BAD, SHOWN
from training.ingest.quarantine import Quarantine
from training.interchange.learnt_elsewhere import Reading
from training.interchange.receive import CHUNK, Received, append


def receive_dsjson(
    store: Store,
    source: Path,
    reading: Reading,
    quarantine: Quarantine,
    *,
    now: float = float("inf"),
    progress: Callable[[int], None] = lambda rows: None,
) -> Received:
    """Each chunk of lines is one transaction; a line whose `EventId` is known changes nothing.

    Args:
        now: epoch seconds; lines that are later are refused.

    Raises:
        InvalidInput: the file can't be read, or has no line.
        StoreUnavailable: what was brought in so far is kept, and the same call goes on from there.
    """
    store.keep_playbook(reading.playbook.version, reading.playbook.text)
    received, lines = Received(), 0
    for start, chunk in _chunks(source):
        lines += len(chunk)
        good: dict[int, tuple[DecisionRow, TouchpointRow]] = {}
        bad: list[tuple[int, str, str, str]] = []
        for number, line in enumerate(chunk, start=start):
            if not line.strip():
                continue
            try:
                good[number] = _read(reading, line, now)
            except InvalidInput as error:
                wrong = error.errors[0]
                bad.append((number, wrong.field, wrong.detail, line[:SHOWN].decode(errors="replace")))
        with store.transaction() as transaction:
            verdicts = append(transaction, [row for row, _ in good.values()])
            new = [t for (_, t), v in zip(good.values(), verdicts, strict=True) if v is None]
            took = transaction.append_touchpoints(new)
        received.decisions.accepted += verdicts.count(None)
        received.decisions.duplicates += verdicts.count("duplicate")
        received.touchpoints.accepted += sum(took)
        bad += [
            (number, "EventId", verdict, "")
            for number, verdict in zip(good, verdicts, strict=True)
            if verdict not in (None, "duplicate")
        ]
        received.decisions.rejected += len(bad)
        quarantine.add(source.name, pl.DataFrame(sorted(bad), schema=BAD, orient="row"))
        if bad and received.first is None:
            place, field, detail, _ = min(bad)
            received.first = f"{source.name}, line {place}: {field}: {detail}"
        progress(len(chunk))
    if not lines:
        raise InvalidInput.of("in", f"{source} has no lines")
    return received


def _read(reading: Reading, line: bytes, now: float) -> tuple[DecisionRow, TouchpointRow]:
    row, outcome = reading.read(line)
    if row.decided_at > now:
        raise InvalidInput.of("Timestamp", "lies ahead of now")
    return row, outcome


def _chunks(source: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Lines with the number of the first, counted from 1. Raises InvalidInput."""
    try:
        with source.open("rb") as file:
            start = 1
            while chunk := list(islice(file, CHUNK)):
                yield start, chunk
                start += len(chunk)
    except OSError as error:
        raise InvalidInput.of("in", f"{source} can't be read: {error.strerror or error}") from None
