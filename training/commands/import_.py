"""`nba import`: a decision log into a store, from what `nba export` wrote or from VW's dsjson."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nba.commands.options import JsonFile, Playbook, StoreUrl, console
from nba.errors import InvalidInput

if TYPE_CHECKING:
    from nba.stores.ports import Clock, Store
    from training.ingest.quarantine import Quarantine
    from training.interchange.receive import Received


def import_log(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A folder that `nba export` wrote, or a dsjson file.")
    ],
    store: StoreUrl = None,
    playbook: Playbook = Path("playbook.yaml"),
    map: Annotated[
        list[str] | None,
        typer.Option(help="For dsjson: THEIRS=ARM, an action id of the log and its arm. May be repeated."),
    ] = None,
    outcome: Annotated[
        str | None, typer.Option(help="For dsjson: the outcome that carries the reward.")
    ] = None,
    quarantine: Annotated[
        Path | None, typer.Option(help="Where rejected rows go; default <IN>.quarantine.jsonl.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Bring decisions and what customers did into a store, a new one or one that has part of it.

    Everything is checked before anything is written. Ids make repeats harmless: an import that was cut off
    is run again.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from nba.stores.open import default_url, open_store
    from training.ingest.quarantine import Quarantine

    if not source.exists():
        raise InvalidInput.of("in", f"there is no {source}")
    url = store or default_url(Path())
    beside = quarantine or source.with_name(source.name + ".quarantine.jsonl")
    columns = SpinnerColumn(), TextColumn("{task.completed:,.0f} rows read"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("import", total=None)
        clock, run = _folder(source) if source.is_dir() else _dsjson(source, playbook, map or (), outcome)
        with closing(open_store(url, clock)) as opened:
            refused = Quarantine(beside)
            try:
                received = run(opened, refused, lambda rows: progress.advance(task, rows))
                refused.publish()
            finally:
                refused.discard()
    _show(received, beside)
    if json_file is not None:
        json_file.write_text(json.dumps(asdict(received), indent=2) + "\n", encoding="utf-8")
    if received.decisions.rejected and not received.decisions.accepted + received.decisions.duplicates:
        raise InvalidInput.of("in", f"no decision could be taken; the reasons are in {beside}")


def _folder(source: Path) -> tuple[Clock, Callable[..., Received]]:
    """The clock of a new store, and the import. Raises InvalidInput for a folder that is not whole."""
    from training.interchange.manifest import read
    from training.interchange.receive import receive

    manifest = read(source)

    def run(store: Store, quarantine: Quarantine, progress: Callable[[int], None]) -> Received:
        return receive(store, source, manifest, quarantine, progress=progress)

    return manifest.clock, run


def _dsjson(
    source: Path, playbook: Path, named: Sequence[str], outcome: str | None
) -> tuple[None, Callable[..., Received]]:
    from nba.playbook.compile import load
    from training.interchange.learnt_elsewhere import Reading
    from training.interchange.receive_dsjson import receive_dsjson

    pairs = [one.rpartition("=") for one in named]
    if not all(theirs and ours for theirs, _, ours in pairs):
        raise InvalidInput.of("map", "is THEIRS=ARM, such as --map Cappuccino=offer/push/now")
    reading = Reading(load(playbook), {theirs: ours for theirs, _, ours in pairs}, outcome)

    def run(store: Store, quarantine: Quarantine, progress: Callable[[int], None]) -> Received:
        now = time.time() if store.clock == "live" else float("inf")
        return receive_dsjson(store, source, reading, quarantine, now=now, progress=progress)

    return None, run


def _show(received: Received, quarantine: Path) -> None:
    out = console()
    for name, tally in (("decisions", received.decisions), ("touchpoints", received.touchpoints)):
        told = f"accepted {tally.accepted:,}  duplicates {tally.duplicates:,}  rejected {tally.rejected:,}"
        erased = f"  erased {tally.erased:,}" if tally.erased else ""
        out.print(f"{name:<12} {told}{erased}", markup=False, highlight=False)
    if received.first is not None:
        told = f"rejected rows are in {quarantine}; first {received.first}"
        out.print(told, markup=False, highlight=False, soft_wrap=True)
