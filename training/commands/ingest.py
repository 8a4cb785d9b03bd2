"""`nba ingest`: files or public data sets into the history."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nba.commands.options import StoreUrl, epoch
from nba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nba.playbook.compile import Playbook
    from training.ingest.batch import Batch
    from training.ingest.run import IngestReport


def ingest(
    sources: Annotated[list[Path], typer.Argument(help="Files (.csv, .jsonl, .parquet) or folders of them.")],
    mapping: Annotated[
        Path | None,
        typer.Option(help="YAML: which column means what. Without it: the field names of the HTTP events."),
    ] = None,
    adapter: Annotated[
        str | None,
        typer.Option(
            help="Read folders of a public data set: starbucks-offers, hillstrom, online-retail, telco-churn."
        ),
    ] = None,
    history: Annotated[Path, typer.Option(help="The folder of the history.")] = Path("history"),
    playbook: Annotated[
        Path | None,
        typer.Option(help="With it the history also goes into the store; default ./playbook.yaml."),
    ] = None,
    store: StoreUrl = None,
    quarantine: Annotated[
        Path | None, typer.Option(help="Where bad rows go; default <history>/quarantine.jsonl.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="ISO 8601; rows more than 5 minutes later are refused. Default now.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report here too.")] = None,
) -> None:
    """Bring touchpoints, profiles and consents into the history and the store; bad rows are quarantined.

    Running it twice changes nothing. Events are recognised by their ids; where the mapping names no id
    column, an id is derived from the file's name, the line's number and its content.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from training.ingest.run import ingest as run

    console = Console(stderr=True)
    at = time.time() if as_of is None else epoch("as-of", as_of)
    book = _playbook(playbook)
    with Progress(
        SpinnerColumn(), TextColumn("{task.completed:,.0f} lines read"), TimeElapsedColumn(), console=console
    ) as progress:
        task = progress.add_task("ingest", total=None)
        report = run(
            _batches(sources, mapping, adapter),
            history=history,
            quarantine=quarantine or history / "quarantine.jsonl",
            as_of=at,
            declared=None if book is None else book.spec.touchpoints,
            progress=lambda lines: progress.advance(task, lines),
        )
    _show(report, quarantine or history / "quarantine.jsonl")
    _bring_in(history, book, store)
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(), indent=2) + "\n", encoding="utf-8")


def _batches(sources: Sequence[Path], mapping: Path | None, adapter: str | None) -> Iterator[Batch]:
    from training.ingest import adapters, files
    from training.ingest.mapping import load

    if adapter is not None:
        if mapping is not None:
            raise InvalidInput.of("mapping", "an adapter brings its own; leave out --mapping or --adapter")
        read = adapters.adapter(adapter)
        return (batch for folder in sources for batch in read(folder))
    for path in sources:
        name = path.name if path.is_dir() or not path.exists() else ""
        if mapping is None and name in adapters.ADAPTERS:
            detail = f"to read this public data set say: nba ingest --adapter {name} FOLDER"
            raise InvalidInput.of("source", detail, source=str(path))
    return files.batches(sources, None if mapping is None else load(mapping))


def _playbook(path: Path | None) -> Playbook | None:
    from nba.playbook.compile import load

    default = Path("playbook.yaml")
    found = path or (default if default.exists() else None)
    return None if found is None else load(found)


def _bring_in(history: Path, book: Playbook | None, store: str | None) -> None:
    """What is new in the history becomes known of the customers that the store decides for."""
    from contextlib import closing

    from nba.stores.open import default_url, open_store
    from training.apply import apply_history

    if book is None:
        typer.echo("no playbook here, so the history did not go into a store; ingest again with --playbook")
        return
    url = store or default_url(Path())
    with closing(open_store(url)) as opened:
        applied = apply_history(opened, book, history)
    typer.echo(f"{applied.customers:,} customer states brought up to date in the store")
    if applied.unusable:
        typer.echo(f"warning: {applied.unusable:,} profiles or consents say what the playbook can't use")


def _show(report: IngestReport, quarantine: Path) -> None:
    refused = sum(report.quarantined.values())
    typer.echo(
        f"read {report.read:,}  accepted {report.accepted:,}  duplicates {report.duplicates:,}  "
        f"quarantined {refused:,}"
    )
    for reason, count in report.quarantined.items():
        typer.echo(f"  {count:>9,}  {reason}")
    if refused:
        typer.echo(f"the quarantined lines are in {quarantine}")
    for name, count in report.undeclared.items():
        typer.echo(f"warning: the playbook does not declare the type {name!r} ({count:,} rows)")
    for source, names in report.absent.items():
        typer.echo(f"warning: {source}: no line has {', '.join(names)}")
