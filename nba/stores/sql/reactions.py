"""In SQL: tickets, looks at customers, and deliveries that are not through yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Literal

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    bindparam,
    case,
    delete,
    func,
    literal,
    literal_column,
    null,
    select,
    text,
    tuple_,
    update,
)

from nba.stores.ports import DeliveryRow, Lease, OutboxRow, TicketCounts, WatchRow
from nba.stores.sql import leases
from nba.stores.sql.database import Database
from nba.stores.sql.prepared import Prepared
from nba.stores.sql.registry import SqlRegistry
from nba.stores.sql.statements import LISTED
from nba.stores.sql.tables import (
    CUSTOMERS,
    DELIVERIES,
    KEPT,
    OUTBOX,
    TICKET_CHANGES,
    TICKETS,
    WATCHES,
)
from nba.tickets import UNSETTLED, Status, TicketChangeRow, TicketRow

_UNSETTLED = text("status IN ('open', 'in_progress')")
_NOTHING: ColumnElement[str] = literal_column("''")  # constants stand as text
_NO_CHANGE: ColumnElement[str] = literal_column("'{}'")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionStatements:
    """Of a write transaction; parameters as in `Statements`: `listed`, or the columns of a row.

    Attributes:
        save_ticket: the columns of a ticket; it is there.
        save_watch: one that is there is replaced.
        forget: in this order, of the `listed` surrogates.
    """

    tickets: Prepared
    unsettled: Prepared
    new_tickets: Prepared
    save_ticket: Prepared
    changes: Prepared
    new_changes: Prepared
    watches: Prepared
    save_watch: Prepared
    forget: tuple[Prepared, ...]

    @classmethod
    def of(cls, database: Database) -> ReactionStatements:
        def prepared(statement: Any) -> Prepared:
            return Prepared.of(statement, database.dialect)

        def of_listed(table: Table, name: str = "surrogate") -> Any:
            return database.among(table.c[name], LISTED)

        theirs = select(TICKETS.c.ticket_id).where(of_listed(TICKETS))
        changes_of = TICKET_CHANGES.c.ticket_id.in_
        watch = database.insert(WATCHES)
        changed: dict[str, Any] = {c.name: bindparam(c.name) for c in TICKETS.c if c.name != "ticket_id"}
        return cls(
            tickets=prepared(select(TICKETS).where(of_listed(TICKETS, "ticket_id"))),
            unsettled=prepared(
                select(TICKETS)
                .where(of_listed(TICKETS), _UNSETTLED)
                .order_by(TICKETS.c.opened_at, TICKETS.c.ticket_id)
            ),
            new_tickets=prepared(TICKETS.insert()),
            save_ticket=prepared(
                update(TICKETS).where(TICKETS.c.ticket_id == bindparam("of")).values(changed)
            ),
            changes=prepared(
                select(TICKET_CHANGES)
                .where(TICKET_CHANGES.c.ticket_id == bindparam("of"))
                .order_by(TICKET_CHANGES.c.version)
            ),
            new_changes=prepared(TICKET_CHANGES.insert()),
            watches=prepared(select(WATCHES).where(of_listed(WATCHES))),
            save_watch=prepared(
                watch.on_conflict_do_update(
                    index_elements=[WATCHES.c.surrogate],
                    set_={"due_at": watch.excluded.due_at, "memory": watch.excluded.memory},
                )
            ),
            forget=(
                prepared(delete(TICKET_CHANGES).where(changes_of(theirs.where(_UNSETTLED)))),
                prepared(delete(TICKETS).where(of_listed(TICKETS), _UNSETTLED)),
                prepared(
                    update(TICKET_CHANGES)
                    .where(changes_of(theirs))
                    .values(who=_NOTHING, what=_NO_CHANGE, note=null())
                ),
                prepared(update(TICKETS).where(of_listed(TICKETS)).values(reason=_NOTHING, owner=null())),
                prepared(delete(WATCHES).where(of_listed(WATCHES))),
            ),
        )


class ReactionWrites:
    """A part of `SqlTransaction`; see `nba.stores.ports.Transaction`."""

    _connection: Connection
    _database: Database
    _reactions: ReactionStatements

    def tickets(self, ticket_ids: Sequence[str]) -> dict[str, TicketRow]:
        found = {row["ticket_id"]: TicketRow(**row) for row in self._of(self._reactions.tickets, ticket_ids)}
        return {name: found[name] for name in ticket_ids if name in found}

    def unsettled_tickets(self, surrogates: Sequence[str]) -> list[TicketRow]:
        return [TicketRow(**row) for row in self._of(self._reactions.unsettled, surrogates)]

    def append_tickets(self, rows: Sequence[TicketRow]) -> None:
        self._reactions.new_tickets.write(self._connection, rows)

    def save_tickets(self, rows: Sequence[TicketRow]) -> None:
        bound = [{**_columns(row), "of": row.ticket_id} for row in rows]
        self._reactions.save_ticket.run_each(self._connection, bound)

    def ticket_changes(self, ticket_id: str) -> list[TicketChangeRow]:
        found = self._reactions.changes.read(self._connection, of=ticket_id)
        return [_change(row) for row in found]

    def append_ticket_changes(self, rows: Sequence[TicketChangeRow]) -> None:
        bound = [{**_columns(row), "what": orjson.dumps(row.what).decode()} for row in rows]
        self._reactions.new_changes.run_each(self._connection, bound)

    def forget_reactions(self, surrogates: Sequence[str]) -> None:
        if surrogates:
            listed = {LISTED: self._database.listed(surrogates)}
            for statement in self._reactions.forget:
                statement.run(self._connection, **listed)

    def watches(self, surrogates: Sequence[str]) -> dict[str, WatchRow]:
        found = {row["surrogate"]: WatchRow(**row) for row in self._of(self._reactions.watches, surrogates)}
        return {name: found[name] for name in surrogates if name in found}

    def save_watches(self, rows: Sequence[WatchRow]) -> None:
        ordered = sorted(rows, key=attrgetter("surrogate"))
        self._reactions.save_watch.write(self._connection, ordered)

    def _of(self, statement: Prepared, names: Sequence[str]) -> list[dict[str, Any]]:
        if not names:
            return []
        return statement.read(self._connection, **{LISTED: self._database.listed(names)})


class SqlReactions(SqlRegistry):
    """A part of `SqlStore`; see `nba.stores.ports.Store`."""

    def messages(self, numbers: Sequence[int]) -> list[OutboxRow]:
        among = self._database.among(OUTBOX.c.number, LISTED)
        statement = select(OUTBOX).where(among).order_by(OUTBOX.c.number)
        rows = self._read(statement, **{LISTED: self._database.listed(numbers)})
        return [OutboxRow(**record) for record in rows]

    def surrogate_of(self, customer_id: str) -> str | None:
        rows = self._read(select(CUSTOMERS.c.surrogate).where(CUSTOMERS.c.customer_id == customer_id))
        return rows[0]["surrogate"] if rows else None

    def ticket(self, ticket_id: str) -> TicketRow | None:
        rows = self._read(select(TICKETS).where(TICKETS.c.ticket_id == ticket_id))
        return TicketRow(**rows[0]) if rows else None

    def ticket_changes(self, ticket_id: str) -> list[TicketChangeRow]:
        column = TICKET_CHANGES.c
        rows = self._read(
            select(TICKET_CHANGES).where(column.ticket_id == ticket_id).order_by(column.version)
        )
        return [_change(row) for row in rows]

    def tickets(
        self,
        *,
        surrogates: Sequence[str] | None = None,
        status: Status | None = None,
        after: tuple[float, str] | None = None,
        limit: int = 100,
    ) -> list[TicketRow]:
        column = TICKETS.c
        place = tuple_(column.opened_at, column.ticket_id)
        found = select(TICKETS).order_by(column.opened_at, column.ticket_id).limit(limit)
        listed = {} if surrogates is None else {LISTED: self._database.listed(surrogates)}
        if listed:
            found = found.where(self._database.among(column.surrogate, LISTED))
        if status is not None:
            found = found.where(column.status == status)
        if after is not None:
            found = found.where(place > tuple_(literal(after[0]), literal(after[1])))
        return [TicketRow(**record) for record in self._read(found, **listed)]

    def tickets_of(self, surrogates: Sequence[str], limit: int) -> list[TicketRow]:
        column = TICKETS.c
        theirs = select(TICKETS).where(self._database.among(column.surrogate, LISTED))
        latest = theirs.order_by(column.opened_at.desc(), column.ticket_id.desc()).limit(limit)
        rows = self._read(latest, **{LISTED: self._database.listed(surrogates)})
        return [TicketRow(**record) for record in rows]

    def ticket_counts(self, now: float) -> TicketCounts:
        late = func.coalesce(func.sum(case((TICKETS.c.due_at < now, 1), else_=0)), 0)
        row = self._read(
            select(func.count().label("unsettled"), late.label("overdue"))
            .select_from(TICKETS)
            .where(TICKETS.c.status.in_(UNSETTLED))
        )[0]
        return TicketCounts(int(row["unsettled"]), int(row["overdue"]))

    def due(self, now: float, limit: int) -> list[str]:
        joined = WATCHES.join(CUSTOMERS, CUSTOMERS.c.surrogate == WATCHES.c.surrogate)
        found = select(CUSTOMERS.c.customer_id).select_from(joined).where(WATCHES.c.due_at <= now)
        ordered = found.order_by(WATCHES.c.due_at, WATCHES.c.surrogate).limit(limit)
        return [row["customer_id"] for row in self._read(ordered)]

    def enlist(self, limit: int) -> int:
        unknown = ~select(WATCHES.c.surrogate).where(WATCHES.c.surrogate == CUSTOMERS.c.surrogate).exists()
        names = [
            row["surrogate"] for row in self._read(select(CUSTOMERS.c.surrogate).where(unknown).limit(limit))
        ]
        add = self._database.insert(WATCHES).on_conflict_do_nothing()
        if names:
            rows = [{"surrogate": name, "due_at": float("-inf"), "memory": "{}"} for name in sorted(names)]
            with self._database.writing() as connection:
                connection.execute(add, rows)
        return len(names)

    def deliveries(
        self,
        target: str | None = None,
        status: Literal["waiting", "dead"] | None = None,
        due: float | None = None,
        limit: int = 1_000,
    ) -> list[DeliveryRow]:
        column = DELIVERIES.c
        found = select(DELIVERIES).order_by(column.target, column.number).limit(limit)
        if target is not None:
            found = found.where(column.target == target)
        if status is not None:
            found = found.where(column.status == status)
        if due is not None:
            found = found.where(column.due_at <= due)
        return [DeliveryRow(**record) for record in self._read(found)]

    def settle_deliveries(
        self,
        target: str,
        *,
        through: int | None,
        keep: Sequence[DeliveryRow],
        drop: Sequence[int],
        lease: Lease | None = None,
    ) -> None:
        with self._database.exclusive() as connection:
            if lease is not None:
                leases.check(connection, lease)
            _drop(connection, self._database, target, [*drop, *(row.number for row in keep)])
            if keep:
                connection.execute(DELIVERIES.insert(), [_columns(row) for row in keep])
            if through is not None:
                values = {"key": _cursor(target), "value": str(through).encode()}
                add = self._database.insert(KEPT).values(values)
                connection.execute(
                    add.on_conflict_do_update(index_elements=[KEPT.c.key], set_={"value": values["value"]})
                )

    def delivered(self, target: str) -> int | None:
        value = self.kept(_cursor(target))
        return None if value is None else int(value)

    def revive(self, target: str, numbers: Sequence[int], due_at: float) -> int:
        column = DELIVERIES.c
        among = self._database.among(column.number, LISTED)
        again = (
            update(DELIVERIES)
            .where(column.target == bindparam("of"), column.status == "dead", among)
            .values(status="waiting", tries=0, due_at=due_at)
        )
        with self._database.writing() as connection:
            return connection.execute(again, {"of": target, LISTED: self._database.listed(numbers)}).rowcount


def _cursor(target: str) -> str:
    return f"deliver.{target}"


def _change(record: Mapping[str, Any]) -> TicketChangeRow:
    return TicketChangeRow(**{**record, "what": orjson.loads(record["what"])})


def _columns(row: Any) -> Mapping[str, Any]:
    return {f.name: getattr(row, f.name) for f in fields(row)}


def _drop(connection: Connection, database: Database, target: str, numbers: Iterable[int]) -> None:
    listed = sorted(set(numbers))
    if listed:
        among = database.among(DELIVERIES.c.number, LISTED)
        connection.execute(
            delete(DELIVERIES).where(DELIVERIES.c.target == bindparam("of"), among),
            {"of": target, LISTED: database.listed(listed)},
        )
