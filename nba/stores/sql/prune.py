"""Forget old rows, a chunk at a time, each in a transaction of its own: others write in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Delete, Table, bindparam, delete, select, tuple_

from nba.stores.sql.database import Database
from nba.stores.sql.rows import records
from nba.stores.sql.statements import LISTED
from nba.stores.sql.tables import (
    CONTACTS,
    DECISION_IDS,
    DECISIONS,
    DELIVERIES,
    OUTBOX,
    TICKET_CHANGES,
    TICKETS,
    TOUCHPOINT_IDS,
    TOUCHPOINTS,
)

CHUNK = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Old:
    """Rows of a table before a time.

    Attributes:
        time: the column of the time.
        id: the column by which rows are deleted.
        order: columns of an index, by which the rows are found without reading any twice.
        by: rows are deleted for each value of this column, where `id` alone is not unique.
        parted: lies in parts by this time where the database has such.
    """

    table: Table
    time: str
    id: str
    order: tuple[str, ...]
    by: str | None = None
    parted: bool = False


_DECISIONS = _Old(
    table=DECISIONS, time="decided_at", id="decision_id", order=("decided_at", "decision_id"), parted=True
)
_TOUCHPOINTS = _Old(
    table=TOUCHPOINTS,
    time="occurred_at",
    id="id",
    order=("occurred_at", "source", "id"),
    by="source",
    parted=True,
)
_CONTACTS = _Old(table=CONTACTS, time="send_at", id="decision_id", order=("decision_id",))
_OUTBOX = _Old(table=OUTBOX, time="at", id="number", order=("number",))
_DELIVERIES = _Old(table=DELIVERIES, time="at", id="number", order=("target", "number"), by="target")
_TICKETS = _Old(table=TICKETS, time="closed_at", id="ticket_id", order=("ticket_id",))
_IDS = (  # after the rows that they name, so that an id never leads to nothing and yet can be used
    _Old(table=DECISION_IDS, time="decided_at", id="decision_id", order=("decision_id",)),
    _Old(table=TOUCHPOINT_IDS, time="occurred_at", id="id", order=("source", "id"), by="source"),
)


def prune(database: Database, before: float) -> dict[str, int]:
    """See `nba.stores.ports.Store.prune`."""
    gone = {}
    for old in (_DECISIONS, _CONTACTS, _TOUCHPOINTS, _OUTBOX, _TICKETS):
        dropped = database.drop_parts(old.table, before) if old.parted else 0
        gone[old.table.name] = dropped + _delete(database, old, before)
    _delete(database, _DELIVERIES, before)
    with database.writing() as connection:  # of tickets that are gone now
        left = select(TICKETS.c.ticket_id)
        connection.execute(delete(TICKET_CHANGES).where(TICKET_CHANGES.c.ticket_id.not_in(left)))
    for old in _IDS if database.partitioned else ():
        _delete(database, old, before)
    return gone


def _delete(database: Database, old: _Old, before: float) -> int:
    statement = _deletion(database, old)
    deleted = 0
    for keys in _keys(database, old, before):
        with database.writing() as connection:
            for value in sorted({key[old.by] for key in keys}) if old.by else (None,):
                ids = [key[old.id] for key in keys if old.by is None or key[old.by] == value]
                bound = {"before": before, LISTED: database.listed(ids), **({"by": value} if old.by else {})}
                deleted += connection.execute(statement, bound).rowcount
    return deleted


def _deletion(database: Database, old: _Old) -> Delete:
    column: Any = old.table.c
    statement = delete(old.table).where(column[old.time] < bindparam("before"))
    if old.by is not None:
        statement = statement.where(column[old.by] == bindparam("by"))
    return statement.where(database.among(column[old.id], LISTED))


def _keys(database: Database, old: _Old, before: float) -> Iterator[list[dict[str, Any]]]:
    """The keys of the old rows, each chunk from behind the last row of the one before."""
    columns: list[Column[Any]] = [old.table.c[name] for name in old.order]
    statement = select(*columns).where(old.table.c[old.time] < before).order_by(*columns).limit(CHUNK)
    behind = tuple_(*columns) > tuple_(*(bindparam(f"last_{name}") for name in old.order))
    last: dict[str, Any] = {}
    while True:
        with database.reading() as connection:
            found = records(connection.execute(statement.where(behind) if last else statement, last))
        if not found:
            return
        yield found
        last = {f"last_{name}": value for name, value in found[-1].items()}
