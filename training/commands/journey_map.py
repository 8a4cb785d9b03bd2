"""`nba journey map`: what follows what, where journeys hurt, and the picture."""

from __future__ import annotations

import json
import os
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nba.commands.moments import DEFAULT
from nba.commands.options import JsonFile, Playbook, StoreUrl, console, epoch, existing_store
from nba.errors import FieldError, InvalidInput

if TYPE_CHECKING:
    from nba.journey.map import Asked, JourneyMap
    from training.journey.table import Table


def _writable(path: Path | None) -> Path | None:
    """Checked before any work is done."""
    if path is not None and (path.is_dir() or not os.access(path.parent, os.W_OK)):
        detail = f"{path} can't be written; name a file in a folder that is there"
        raise InvalidInput.of("output", detail)
    return path


def _folder(path: Path | None) -> Path | None:
    if path is not None and path.exists() and not path.is_dir():
        raise InvalidInput.of("parquet", f"{path} is a file; name a folder")
    return path


def map_(
    source: Annotated[
        Path | None,
        typer.Argument(
            help="A table (.csv, .jsonl, .parquet; .gz), or a history. Default: the store and the history."
        ),
    ] = None,
    case: Annotated[str | None, typer.Option(help="The column that tells journeys apart.")] = None,
    step: Annotated[str | None, typer.Option(help="The column of the steps.")] = None,
    time_: Annotated[str | None, typer.Option("--time", help="The column of the times.")] = None,
    value: Annotated[str | None, typer.Option(help="The column of what events are worth.")] = None,
    customer: Annotated[
        str | None, typer.Option(help="The column of whom cases belong to; intervals go by it.")
    ] = None,
    where: Annotated[str | None, typer.Option(help="COLUMN=TEXT: map these rows only.")] = None,
    unit: Annotated[
        Literal["s", "ms", "us", "ns", "min", "h", "d"] | None,
        typer.Option(help="Of times that are numbers."),
    ] = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="Of times that are text, such as '%d/%m/%Y %H:%M'.")
    ] = None,
    zone: Annotated[str, typer.Option(help="Of times that name none.")] = "UTC",
    delimiter: Annotated[str | None, typer.Option(help="Of a CSV's cells.")] = None,
    skip_bad: Annotated[bool, typer.Option(help="Leave out rows that can't be read.")] = False,
    goal: Annotated[str | None, typer.Option(help="The step that journeys are for.")] = None,
    patience: Annotated[
        str | None, typer.Option(help="So long without an event, and a case has stopped, such as 30d.")
    ] = None,
    from_: Annotated[str | None, typer.Option("--from", help="The funnel's first step.")] = None,
    to: Annotated[str | None, typer.Option(help="The funnel's last step.")] = None,
    window: Annotated[str | None, typer.Option(help="Of the funnel, such as 30d; default for ever.")] = None,
    level: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    split: Annotated[
        str | None, typer.Option(help="period, or a column; of the store channel, group or an attribute.")
    ] = None,
    period: Annotated[
        str, typer.Option(help="Of --split period: day, week, month, quarter, year.")
    ] = "month",
    by: Annotated[Literal["type", "stage"], typer.Option(help="The store's steps.")] = "type",
    playbook: Playbook = Path("playbook.yaml"),
    history: Annotated[Path, typer.Option(help="What was ingested, mapped with the store.")] = Path(
        "history"
    ),
    store: StoreUrl = None,
    since: Annotated[str | None, typer.Option(help="ISO 8601; of the store, from then on.")] = None,
    as_of: Annotated[str | None, typer.Option(help=DEFAULT)] = None,
    json_file: JsonFile = None,
    parquet: Annotated[
        Path | None, typer.Option(callback=_folder, help="Write the tables into this folder.")
    ] = None,
    svg: Annotated[Path | None, typer.Option(callback=_writable, help="Write the picture here.")] = None,
    html: Annotated[
        Path | None, typer.Option(callback=_writable, help="Write picture and tables here, as a page.")
    ] = None,
) -> None:
    """Map journeys: transitions, variants, the funnel between two steps, and where it hurts."""
    from nba.journey.map import Asked
    from training.journey.cells import Columns
    from training.journey.table import read

    if (from_ is None) != (to is None):
        raise InvalidInput.of("to" if to is None else "from", "a funnel has both --from and --to")
    asked = Asked(
        goal=goal,
        patience=_seconds("patience", patience),
        start=from_,
        end=to,
        window=_seconds("window", window),
        level=level,
        currency=value,
    )
    column = None if split == "period" else split
    if source is not None and not source.is_dir():
        columns = Columns(
            case=_needed("case", case, source),
            step=_needed("step", step, source),
            time=_needed("time", time_, source),
            value=value,
            cluster=customer,
            part=column,
            where=_where(where),
            unit=unit,
            format=format_,
            zone=zone,
        )
        table, title = read(source, columns, delimiter=delimiter, skip_bad=skip_bad), source.name
    else:
        _no_columns(case=case, step=step, time=time_, value=value, customer=customer, where=where)
        table, asked = _of_store(source, playbook, store, history, by, since, as_of, column, asked)
        title = "Journeys of the store" if source is None else f"Journeys of {source.name}"
    found = _mapped(table, asked, split, period)
    _out(found, table, title, json_file, parquet, svg, html)


def _needed(name: str, column: str | None, source: Path) -> str:
    if column is None:
        detail = f"say which column it is: nba journey map {source} --case … --step … --time …"
        raise InvalidInput([FieldError(field=name, detail=detail)])
    return column


def _no_columns(**columns: str | None) -> None:
    for name, column in columns.items():
        if column is not None:
            raise InvalidInput.of(name, "names a column of a file; say which file, before the options")


def _where(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    column, mark, cell = text.partition("=")
    if not mark or not column:
        raise InvalidInput.of("where", "is COLUMN=TEXT, such as status=complete")
    return column, cell


def _seconds(option: str, text: str | None) -> float | None:
    from pydantic import TypeAdapter, ValidationError

    from nba.playbook.scalars import Seconds

    if text is None:
        return None
    try:
        seconds: float = TypeAdapter(Seconds).validate_python(text)
    except ValidationError:
        raise InvalidInput.of(option, "must be a number and a unit, such as 7d, 36h or 90m") from None
    return seconds


def _of_store(
    source: Path | None,
    playbook: Path,
    url: str | None,
    history: Path,
    by: Literal["type", "stage"],
    since: str | None,
    as_of: str | None,
    split: str | None,
    asked: Asked,
) -> tuple[Table, Asked]:
    from dataclasses import replace

    from experiments.report.moment import default_as_of
    from nba.commands.moments import asked as asked_as_of
    from nba.features.history import history_files
    from nba.playbook.compile import load
    from nba.rewards.outcomes import main_outcome
    from training.journey.table import Table
    from training.journey.touchpoints import journeys, of_history
    from training.served import bring_back

    until: float | None = None
    if source is not None:
        book = load(playbook) if playbook.exists() else None
        frame = of_history(source, book, split)
    else:
        book = load(playbook)
        with closing(existing_store(url)) as opened:
            start = float("-inf") if since is None else epoch("since", since)
            until = default_as_of(opened, time.time()) if as_of is None else asked_as_of(opened, as_of, book)
            recorded = history if history_files(history) else None
            if recorded is not None:
                bring_back(opened, recorded)  # who is one person, and who was erased
            frame = journeys(opened, book, by=by, since=start, until=until, split=split, recorded=recorded)
    currency = None if book is None else book.spec.currency
    ends = () if book is None else (main_outcome(book.spec.objectives),)
    asked = replace(asked, currency=currency, until=until, ends=ends)
    return Table(frame=frame, bad=0, notes=()), asked


def _mapped(table: Table, asked: Asked, split: str | None, period: str) -> JourneyMap:
    from nba.journey.events import Events
    from nba.journey.map import draw_map
    from nba.journey.split import by_part, by_period

    events = Events.of(table.frame)
    if split is None:
        return draw_map(events, asked)
    parts = by_period(events, period) if split == "period" else by_part(events)
    return draw_map(events, asked, split_by=period if split == "period" else split, parts=parts)


def _out(
    found: JourneyMap,
    table: Table,
    title: str,
    json_file: Path | None,
    parquet: Path | None,
    svg: Path | None,
    html: Path | None,
) -> None:
    from nba.journey import map as maps
    from nba.journey import page, picture
    from training.journey.show import say, show

    if json_file is not None:
        document = {**maps.as_json(found), "bad_rows": table.bad, "notes": list(table.notes)}
        json_file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if parquet is not None:
        parquet.mkdir(parents=True, exist_ok=True)
        for name, frame in maps.frames(found).items():
            frame.write_parquet(parquet / f"{name}.parquet")
    if svg is not None:
        svg.write_text(picture.svg(found, title) + "\n", encoding="utf-8")
    if html is not None:
        html.write_text(page.page(found, title), encoding="utf-8")
    screen = console()
    show(found, screen)
    for note in table.notes:
        say(screen, f"note: {note}")
    if table.bad:
        say(screen, f"warning: {table.bad:,} rows could not be read and were left out")
