"""Export the decision log as a folder of Parquet files with a manifest.

Customers who are linked go out as one, under the surrogate of the person.

Chunk by chunk, so memory does not grow with the log. The folder gets its name when all of it is written and
synced: an export that was killed leaves only a folder whose name says that it is unfinished.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from experiments.log import displaced
from nba.errors import InvalidInput
from nba.playbook.compile import Playbook
from nba.rewards.reward import reward_version
from nba.stores.ports import DecisionRow, Store
from training.interchange.columns import table_of
from training.interchange.earned import Earnings
from training.interchange.manifest import File, Manifest, digest
from training.interchange.parts import (
    Wanted,
    Writer,
    parsed_of,
    place,
    sync,
    unfinished,
    write_contacts,
    write_touchpoints,
)

SLAB = 20_000  # decisions at once


def export(
    store: Store,
    playbook: Playbook,
    target: Path,
    wanted: Wanted,
    *,
    progress: Callable[[int], None] = lambda decisions: None,
) -> Manifest:
    """Write the log into the new folder `target`; rewards and contact costs are those of `playbook`.

    Raises:
        InvalidInput: the folder is there already or can't be written, there are no decisions, or the store
            lacks a playbook that a decision names.
    """
    with unfinished(target) as scratch:
        folder = scratch / "whole"
        folder.mkdir()
        writer = Writer(folder)
        earnings = earnings_of(store, playbook, wanted, writer, scratch)
        gone, counts = displaced(store), Counter({"decisions": 0, "mature": 0, "held": 0})
        for slab in store.decisions(wanted.since, wanted.as_of, SLAB):
            rows = wanted.of(slab)
            if rows:
                counts.update(_decisions(rows, writer, earnings, gone))
            progress(len(slab))
        files = writer.close()
        if not counts["decisions"]:
            raise InvalidInput.of("store", "has no such decisions; move --since, --as-of or --group")
        named = {file.playbook for file in files if file.kind == "decisions"}
        files += _playbooks(store, playbook, named, folder)
        counts["touchpoints"] = sum(file.rows for file in files if file.kind == "touchpoints")
        manifest = Manifest(
            clock=store.clock,
            since=None if wanted.since == float("-inf") else wanted.since,
            as_of=wanted.as_of,
            groups=wanted.groups,
            reward={"version": reward_version(playbook), "playbook": playbook.version},
            counts=dict(counts),
            files=tuple(files),
            erased=tuple(row.surrogate for row in store.erased()),
        )
        manifest.write(folder)
        place(folder, target)
    return manifest


def earnings_of(store: Store, playbook: Playbook, wanted: Wanted, writer: Writer, scratch: Path) -> Earnings:
    """Write the touchpoints, and what rewards need beside them."""
    unsent = write_touchpoints(store, wanted, writer)
    write_contacts(store, wanted, scratch / "contacts")
    return Earnings(
        store=store,
        playbook=playbook,
        as_of=wanted.as_of,
        touchpoints=writer.folder / "touchpoints",
        contacts=scratch / "contacts",
        unsent=unsent | displaced(store),
    )


def _decisions(
    rows: list[DecisionRow], writer: Writer, earnings: Earnings, gone: Collection[str]
) -> Counter[str]:
    """Write a slab; how many decisions, mature ones and held ones it has."""
    earned = earnings.of(rows)
    computed: dict[str, list[Any]] = {
        "displaced": [row.decision_id in gone for row in rows],
        "reward": earned.reward,
        "mature": earned.mature,
        "overlaps": earned.overlaps,
    }
    for start, alike in _by_playbook(rows):
        part = {name: values[start : start + len(alike)] for name, values in computed.items()}
        book = parsed_of(earnings.store, alike[0].playbook)
        writer.write("decisions", table_of(alike, book, part), alike[0].playbook)
    held = sum(row.status == "held" for row in rows)
    return Counter({"decisions": len(rows), "mature": sum(earned.mature), "held": held})


def _by_playbook(rows: list[DecisionRow]) -> Iterator[tuple[int, list[DecisionRow]]]:
    """Runs under one playbook, each with the place of its first."""
    start = 0
    for _, run in groupby(rows, attrgetter("playbook")):
        alike = list(run)
        yield start, alike
        start += len(alike)


def _playbooks(store: Store, playbook: Playbook, named: Collection[str], folder: Path) -> list[File]:
    """The texts of the playbooks that decisions name, and of the one that the rewards are by."""
    texts = {version: store.playbook(version) or "" for version in named} | {playbook.version: playbook.text}
    (folder / "playbooks").mkdir()
    files = []
    for i, (version, text) in enumerate(sorted(texts.items())):
        path = folder / "playbooks" / f"{i:03}.yaml"
        path.write_bytes(text.encode())
        sync(path)
        name = path.relative_to(folder).as_posix()
        files.append(File(path=name, kind="playbook", rows=1, sha256=digest(path), playbook=version))
    return files
