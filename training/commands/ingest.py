"""`nba ingest`: files or public data sets into the history."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nba.commands.options import JsonFile, StoreUrl, epoch
from nba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import polars as pl

    from nba.playbook.compile import Playbook
    from nba.stores.ports import Store
    from training.apply import Applied
    from training.ingest.batch import Batch
    from training.ingest.read_database import Query
    from training.ingest.run import IngestReport


def ingest(
    sources: Annotated[
        list[Path] | None, typer.Argument(help="Files (.csv, .jsonl, .parquet) or folders of them.")
    ] = None,
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
    from_db: Annotated[
        str | None,
        typer.Option(
            envvar="NBA_SOURCE_URL", help="A database to read instead, such as postgresql://host/shop."
        ),
    ] = None,
    query: Annotated[
        str | None, typer.Option(help="SELECT …: its rows are ingested; one column has to be an id.")
    ] = None,
    history: Annotated[Path, typer.Option(help="The folder of the history.")] = Path("history"),
    playbook: Annotated[
        Path | None,
        typer.Option(help="With it the history also goes into the store; default ./playbook.yaml."),
    ] = None,
    store: StoreUrl = None,
    clock: Annotated[
        str | None, typer.Option(help="For a store that is made: live, or request for a simulation.")
    ] = None,
    quarantine: Annotated[
        Path | None, typer.Option(help="Where bad rows go; default <history>/quarantine.jsonl.")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            help="ISO 8601; rows more than 5 minutes later are refused. Default now; on a store on the "
            "request clock it may be later."
        ),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Bring touchpoints, profiles and consents into the history and the store; bad rows are quarantined.

    Running it twice changes nothing. Events are recognised by their ids; where the mapping names no id
    column, an id is derived from the file's name, the line's number and its content.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from nba.playbook.feedback import Feedback
    from training.apply import apply_history
    from training.ingest.run import ingest as run
    from training.served import bring_back

    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.completed:,.0f} lines read"), TimeElapsedColumn()
    at = time.time() if as_of is None else epoch("as-of", as_of)
    book = _playbook(playbook)
    with ExitStack() as open_things:
        opened = None if book is None else open_things.enter_context(_opened(store, clock))
        if opened is not None:
            if opened.clock == "live" and at > time.time():
                raise InvalidInput.of("as-of", "must be now or earlier: this store lives on the live clock")
            bring_back(opened, history)  # so that what the API received is known as a duplicate
        progress = Progress(*columns, console=console, disable=not console.is_terminal)
        task = open_things.enter_context(progress).add_task("ingest", total=None)
        report = run(
            _batches(sources or [], mapping, adapter, _query(sources, from_db, query)),
            history=history,
            quarantine=quarantine or history / "quarantine.jsonl",
            as_of=at,
            declared=None if book is None else book.spec.touchpoints,
            feedback=Feedback() if book is None else book.spec.feedback,
            **({} if opened is None else {"private": _private(opened)}),
            progress=lambda lines: progress.advance(task, lines),
        )
        _show(report, quarantine or history / "quarantine.jsonl")
        if book is None or opened is None:
            typer.echo("no playbook here, so nothing went into a store; ingest again with --playbook")
        else:
            _say(apply_history(opened, book, history))
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(), indent=2) + "\n", encoding="utf-8")
    if report.quarantined and not report.accepted and not report.duplicates:
        raise InvalidInput.of("source", "no row could be used; the reasons are above, mend the mapping")


_CLOCKS: dict[str | None, Literal["live", "request"] | None] = {
    None: None,
    "live": "live",
    "request": "request",
}


@contextmanager
def _opened(url: str | None, clock: str | None) -> Iterator[Store]:
    from nba.stores.open import default_url, open_store

    if clock not in _CLOCKS:
        raise InvalidInput.of("clock", "is live or request")
    store = open_store(url or default_url(Path()), _CLOCKS[clock])
    try:
        yield store
    finally:
        store.close()


def _query(sources: Sequence[Path] | None, url: str | None, text: str | None) -> Query | None:
    """What to ask of a database; None where files are read. Raises InvalidInput."""
    from training.ingest.read_database import Query

    if text is None:
        if not sources:
            raise InvalidInput.of("source", "name files, or a database with --from-db and --query")
        return None
    if url is None:
        raise InvalidInput.of("from-db", "say which database to query: --from-db or NBA_SOURCE_URL")
    if sources:
        raise InvalidInput.of("source", "read files and databases one after the other, not at once")
    return Query(url=url, text=text)


def _batches(
    sources: Sequence[Path], mapping: Path | None, adapter: str | None, query: Query | None
) -> Iterator[Batch]:
    from training.ingest import adapters, files
    from training.ingest.mapping import load

    if query is not None:
        if adapter is not None:
            raise InvalidInput.of("adapter", "reads folders of files; leave out --adapter or --query")
        from training.ingest.read_database import batches

        return batches(query, None if mapping is None else load(mapping))
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


def _private(store: Store) -> Callable[[pl.DataFrame], pl.DataFrame]:
    from training.forgetting import Erasures, hide

    erasures = Erasures.of(store)
    return lambda rows: hide(store.secret, erasures.left(rows))


def _playbook(path: Path | None) -> Playbook | None:
    from nba.playbook.compile import load

    default = Path("playbook.yaml")
    found = path or (default if default.exists() else None)
    return None if found is None else load(found)


def _say(applied: Applied) -> None:
    typer.echo(f"{applied.customers:,} customers brought up to date in the store")
    if applied.unusable:
        typer.echo(f"warning: {applied.unusable:,} profiles or consents say what the playbook can't use")


def _show(report: IngestReport, quarantine: Path) -> None:
    refused = sum(report.quarantined.values())
    typer.echo(
        f"read {report.read:,}  accepted {report.accepted:,}  duplicates {report.duplicates:,}  "
        f"quarantined {refused:,}"
    )
    if report.erased:
        typer.echo(f"left out {report.erased:,} rows of customers who were erased")
    for reason, count in report.quarantined.items():
        typer.echo(f"  {count:>9,}  {reason}")
    if refused:
        typer.echo(f"the quarantined lines are in {quarantine}")
    for name, count in report.undeclared.items():
        typer.echo(f"warning: the playbook does not declare the type {name!r} ({count:,} rows)")
    for source, names in report.absent.items():
        typer.echo(f"warning: {source}: no line has {', '.join(names)}")
