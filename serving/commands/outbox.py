"""`nba outbox list` and `nba outbox resend`: what targets have not taken."""

from __future__ import annotations

import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nba.commands.options import JsonFile, StoreUrl, console, existing_store
from nba.errors import InvalidInput

if TYPE_CHECKING:
    from rich.table import Table

    from nba.stores.ports import DeliveryRow, OutboxRow

_MOST = 10_000
Target = Annotated[str | None, typer.Option(help="Only of this target, such as webhook.orchestrator.")]


def listed(
    target: Target = None,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Those that are tried again by themselves.")
    ] = False,
    store: StoreUrl = None,
    json_file: JsonFile = None,
) -> None:
    """List dead letters: messages that a target did not take, however often they were tried."""
    with closing(existing_store(store)) as opened:
        rows = opened.deliveries(target, "waiting" if waiting else "dead", limit=_MOST)
        messages = {row.number: row for row in opened.messages([row.number for row in rows])}
        others = 0 if waiting else len(opened.deliveries(target, "waiting", limit=_MOST))
    if json_file is not None:
        told = [_values(row, messages.get(row.number)) for row in rows]
        json_file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    if rows:
        console().print(_table(rows, messages))
    else:
        said = "nothing waits for another try" if waiting else "there are no dead letters"
        console().print(said, markup=False, highlight=False)
    if others:
        said = f"{others:,} more have failed and are tried again by themselves: nba outbox list --waiting"
        console().print(said, markup=False, highlight=False)


def resend(
    numbers: Annotated[list[int] | None, typer.Argument(help="Of messages, as listed.")] = None,
    target: Target = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    store: StoreUrl = None,
) -> None:
    """Send dead letters again: `nba deliver` takes them up as if they had never been tried."""
    if bool(numbers) == everything:
        raise InvalidInput.of("numbers", "name messages, as `nba outbox list` numbers them, or give --all")
    with closing(existing_store(store)) as opened:
        dead = opened.deliveries(target, "dead", limit=_MOST)
        wanted = [row for row in dead if everything or row.number in (numbers or ())]
        unknown = sorted(set(numbers or ()) - {row.number for row in wanted})
        if unknown:
            told = ", ".join(map(str, unknown))
            raise InvalidInput.of("numbers", f"there is no dead letter {told}; `nba outbox list` shows all")
        again = 0
        for name in sorted({row.target for row in wanted}):
            mine = [row.number for row in wanted if row.target == name]
            again += opened.revive(name, mine, time.time())
    console().print(f"{again:,} are sent again by `nba deliver`", markup=False, highlight=False)


def _table(rows: list[DeliveryRow], messages: dict[int, OutboxRow]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from nba.model import timestamp

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("number", "target", "type", "of", "tries", "next try", "reason"):
        table.add_column(
            column, justify="right" if column in ("number", "tries") else "left", overflow="fold"
        )
    for row in rows:
        message = messages.get(row.number)
        again = timestamp(row.due_at // 1) or "" if row.status == "waiting" else "by hand"
        kind = "pruned" if message is None else message.type
        cells = (
            str(row.number),
            row.target,
            kind,
            timestamp(row.at // 1) or "",
            str(row.tries),
            again,
            row.reason,
        )
        table.add_row(*map(Text, cells))
    return table


def _values(row: DeliveryRow, message: OutboxRow | None) -> dict[str, Any]:
    from nba.model import timestamp

    return {
        "number": row.number,
        "target": row.target,
        "id": None if message is None else message.id,
        "type": None if message is None else message.type,
        "at": timestamp(row.at),
        "status": row.status,
        "tries": row.tries,
        "due_at": timestamp(row.due_at) if row.status == "waiting" else None,
        "reason": row.reason,
    }
