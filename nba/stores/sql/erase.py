"""Erase customers: what names them goes, what says anything of them is emptied, counts stay.

Every table with a surrogate has its place here, which a test sees to. On SQLite what is freed is overwritten
(`secure_delete`) and the log is cut off afterwards; PostgreSQL has it until its own vacuum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update

from nba.stores.persons import ErasedRow
from nba.stores.sql.database import Database
from nba.stores.sql.rows import records
from nba.stores.sql.tables import (
    CONTACTS,
    CUSTOMERS,
    DECISIONS,
    ERASED,
    IDENTITIES,
    OUTBOX,
    PROFILES,
    TICKETS,
    TOUCHPOINTS,
    WATCHES,
)

GONE: tuple[Table, ...] = (CUSTOMERS, PROFILES, IDENTITIES)
EMPTIED: Mapping[Table, Mapping[str, Any]] = {TOUCHPOINTS: {"properties": None}, OUTBOX: {"body": b"{}"}}
STAYS: tuple[Table, ...] = (CONTACTS, ERASED)  # rows without a word of the customer's
REACTIONS: tuple[Table, ...] = (TICKETS, WATCHES)  # by `forget_reactions`, for the transaction's `erase`
BLOBS = ("digest", "body", "features", "eligible", "odds", "values")
_LISTED = "listed"
_CHUNK = 500


def erase(
    connection: Connection, database: Database, rows: Sequence[ErasedRow], strip: Callable[[bytes], bytes]
) -> dict[str, int]:
    """See `nba.stores.ports.Transaction.erase`."""
    surrogates = [row.surrogate for row in rows]
    listed = {_LISTED: database.listed(surrogates)}
    changed = {"decisions": _decisions(connection, database, surrogates, strip)}
    for table in GONE:
        statement: Any = delete(table).where(database.among(table.c.surrogate, _LISTED))
        changed[table.name] = connection.execute(statement, listed).rowcount
    for table, values in EMPTIED.items():
        statement = update(table).where(database.among(table.c.surrogate, _LISTED)).values(values)
        changed[table.name] = connection.execute(statement, listed).rowcount
    known = connection.execute(
        select(ERASED.c.surrogate).where(database.among(ERASED.c.surrogate, _LISTED)), listed
    )
    there = set(known.scalars())
    fresh = [
        {"surrogate": row.surrogate, "digest": row.digest, "at": row.at, "who": row.who}
        for row in rows
        if row.surrogate not in there
    ]
    if fresh:
        connection.execute(insert(ERASED), fresh)
    return changed


def _decisions(
    connection: Connection, database: Database, surrogates: Sequence[str], strip: Callable[[bytes], bytes]
) -> int:
    column = DECISIONS.c
    place = (column.surrogate, column.decided_at, column.decision_id)
    found = select(column.decision_id, column.decided_at, column.trace)
    found = found.where(database.among(column.surrogate, _LISTED), column.body != b"").order_by(*place)
    empty = update(DECISIONS).where(
        column.decision_id == bindparam("of"), column.decided_at == bindparam("when")
    )
    empty = empty.values({**dict.fromkeys(BLOBS, b""), "trace": bindparam("left")})
    changed = 0
    while True:  # what was emptied is found no more
        some = records(connection.execute(found.limit(_CHUNK), {_LISTED: database.listed(surrogates)}))
        if not some:
            return changed
        connection.execute(
            empty,
            [
                {"of": row["decision_id"], "when": row["decided_at"], "left": strip(row["trace"])}
                for row in some
            ],
        )
        changed += len(some)
