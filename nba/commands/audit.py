"""`nba audit`: what was published, by whom, when and why; and who was erased at whose word."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nba.commands.options import JsonFile, StoreUrl, console, existing_store

if TYPE_CHECKING:
    from rich.table import Table

    from nba.stores.ports import ErasedRow, Publication


FORGETS = "models forget at the next full retrain"


def audit(
    last: Annotated[int | None, typer.Option(min=1, help="Only the latest so many.")] = None,
    store: StoreUrl = None,
    json_file: JsonFile = None,
) -> None:
    """List every change of what serves, oldest first, then every erasure. A share of 0 means that it was
    withdrawn."""
    with closing(existing_store(store)) as opened:
        found, erased = opened.audit(), opened.erased()
    rows = found if last is None else found[-last:]
    gone = erased if last is None else erased[-last:]
    if json_file is not None:
        values = [*map(_values, rows), *map(_erasure, gone)]
        json_file.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    if rows:
        console().print(_table(rows))
    else:
        console().print("nothing was published yet", markup=False, highlight=False)
    if gone:
        console().print(_erasures(gone))
        console().print(f"{len(erased)} customer ids were erased; {FORGETS}", markup=False, highlight=False)


def _table(rows: list[Publication]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from nba.model import timestamp

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("number", "kind", "name", "share", "when", "who", "why"):
        justify: Literal["left", "right"] = "right" if column in ("number", "share") else "left"
        table.add_column(column, justify=justify, no_wrap=column not in ("who", "why"), overflow="fold")
    for row in rows:
        when = timestamp(row.published_at // 1) or ""  # to the second; JSON has it exactly
        cells = (str(row.number), row.kind, row.name, f"{row.share:g}", when, row.who, row.why)
        table.add_row(*map(Text, cells))
    return table


def _erasures(rows: list[ErasedRow]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from nba.model import timestamp

    table = Table(box=None, header_style="bold", pad_edge=False, title="erased", title_justify="left")
    for column in ("when", "who asked", "left under the surrogate"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, (timestamp(row.at // 1) or "", row.who, row.surrogate)))
    return table


def _erasure(row: ErasedRow) -> dict[str, Any]:
    from nba.model import timestamp

    return {
        "kind": "erasure",
        "surrogate": row.surrogate,
        "at": timestamp(row.at),
        "who": row.who,
        "why": FORGETS,
    }


def _values(row: Publication) -> dict[str, Any]:
    from nba.model import timestamp

    return {
        "number": row.number,
        "kind": row.kind,
        "name": row.name,
        "origin": row.origin,
        "version": row.version,
        "share": row.share,
        "at": timestamp(row.published_at),
        "who": row.who,
        "why": row.why,
        "evidence": _read(row.evidence),
    }


def _read(evidence: str) -> Any:
    """As JSON; as text where it is none; None where there is none."""
    try:
        return json.loads(evidence) if evidence else None
    except ValueError:
        return evidence
