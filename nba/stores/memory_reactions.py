"""In memory: tickets, looks at customers, and deliveries that are not through yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, Literal

from nba.errors import Conflict
from nba.stores.memory_registry import MemoryRegistry
from nba.stores.ports import DeliveryRow, Lease, OutboxRow, TicketCounts, WatchRow
from nba.tickets import Status, TicketChangeRow, TicketRow

_PLACE = attrgetter("opened_at", "ticket_id")


class MemoryReactionWrites:
    """A part of `MemoryTransaction`; see `nba.stores.ports.Transaction`. What is forgotten is None."""

    _tables: Any

    def tickets(self, ticket_ids: Sequence[str]) -> dict[str, TicketRow]:
        rows = {name: self._tables.tickets.get(name) for name in ticket_ids}
        return {name: row for name, row in rows.items() if row is not None}

    def unsettled_tickets(self, surrogates: Sequence[str]) -> list[TicketRow]:
        wanted = set(surrogates)
        rows = [row for row in self._tables.tickets.values() if row is not None]
        return sorted((row for row in rows if row.surrogate in wanted and row.unsettled), key=_PLACE)

    def append_tickets(self, rows: Sequence[TicketRow]) -> None:
        for row in rows:
            if self._tables.tickets.get(row.ticket_id) is not None:
                raise Conflict("a row with this id is in the store already")
            self._tables.tickets[row.ticket_id] = row

    def save_tickets(self, rows: Sequence[TicketRow]) -> None:
        self._tables.tickets.update({row.ticket_id: row for row in rows})

    def ticket_changes(self, ticket_id: str) -> list[TicketChangeRow]:
        return list(self._tables.ticket_changes.get(ticket_id) or ())

    def append_ticket_changes(self, rows: Sequence[TicketChangeRow]) -> None:
        for row in rows:
            before = self._tables.ticket_changes.get(row.ticket_id) or ()
            self._tables.ticket_changes[row.ticket_id] = (*before, row)

    def forget_reactions(self, surrogates: Sequence[str]) -> None:
        wanted = set(surrogates)
        rows = [row for row in self._tables.tickets.values() if row is not None and row.surrogate in wanted]
        gone = [row.ticket_id for row in rows if row.unsettled]
        self._tables.tickets.update(dict.fromkeys(gone))
        self._tables.ticket_changes.update(dict.fromkeys(gone))
        for row in rows:
            if not row.unsettled:
                self._tables.tickets[row.ticket_id] = replace(row, reason="", owner=None)
                told = self._tables.ticket_changes.get(row.ticket_id) or ()
                left = tuple(replace(one, who="", what={}, note=None) for one in told)
                self._tables.ticket_changes[row.ticket_id] = left
        self._tables.watches.update(dict.fromkeys(s for s in wanted if s in self._tables.watches))

    def watches(self, surrogates: Sequence[str]) -> dict[str, WatchRow]:
        rows = {name: self._tables.watches.get(name) for name in surrogates}
        return {name: row for name, row in rows.items() if row is not None}

    def save_watches(self, rows: Sequence[WatchRow]) -> None:
        self._tables.watches.update({row.surrogate: row for row in rows})


class MemoryReactions(MemoryRegistry):
    """A part of `MemoryStore`; see `nba.stores.ports.Store`."""

    _tables: Any

    def __init__(self) -> None:
        super().__init__()
        self._deliveries: dict[tuple[str, int], DeliveryRow] = {}
        self._delivered: dict[str, int] = {}

    def messages(self, numbers: Sequence[int]) -> list[OutboxRow]:
        with self._seeing:
            return [self._tables.outbox[n] for n in sorted(set(numbers)) if n in self._tables.outbox]

    def surrogate_of(self, customer_id: str) -> str | None:
        surrogate: str | None = self._tables.surrogates.get(customer_id)
        return surrogate

    def ticket(self, ticket_id: str) -> TicketRow | None:
        row: TicketRow | None = self._tables.tickets.get(ticket_id)
        return row

    def ticket_changes(self, ticket_id: str) -> list[TicketChangeRow]:
        return list(self._tables.ticket_changes.get(ticket_id) or ())

    def tickets(
        self,
        *,
        surrogates: Sequence[str] | None = None,
        status: Status | None = None,
        after: tuple[float, str] | None = None,
        limit: int = 100,
    ) -> list[TicketRow]:
        with self._seeing:
            rows = sorted(self._tables.tickets.values(), key=_PLACE)
        found = [
            row
            for row in rows
            if (surrogates is None or row.surrogate in surrogates)
            and status in (None, row.status)
            and (after is None or _PLACE(row) > after)
        ]
        return found[:limit]

    def tickets_of(self, surrogates: Sequence[str], limit: int) -> list[TicketRow]:
        with self._seeing:
            rows = [row for row in self._tables.tickets.values() if row.surrogate in surrogates]
        return sorted(rows, key=_PLACE, reverse=True)[:limit]

    def ticket_counts(self, now: float) -> TicketCounts:
        with self._seeing:
            rows = [row for row in self._tables.tickets.values() if row.unsettled]
        return TicketCounts(len(rows), sum(row.due_at < now for row in rows))

    def due(self, now: float, limit: int) -> list[str]:
        with self._seeing:
            rows = [row for row in self._tables.watches.values() if row.due_at <= now]
            first = sorted(rows, key=attrgetter("due_at", "surrogate"))[:limit]
            known = self._tables.customers
            return [known[row.surrogate].customer_id for row in first if row.surrogate in known]

    def enlist(self, limit: int) -> int:
        with self._exclusive(), self._seeing:
            names = [s for s in self._tables.customers if s not in self._tables.watches][:limit]
            for name in names:
                self._tables.watches[name] = WatchRow(surrogate=name, due_at=float("-inf"))
        return len(names)

    def deliveries(
        self,
        target: str | None = None,
        status: Literal["waiting", "dead"] | None = None,
        due: float | None = None,
        limit: int = 1_000,
    ) -> list[DeliveryRow]:
        with self._seeing:
            rows = [row for _, row in sorted(self._deliveries.items())]
        found = [
            row
            for row in rows
            if target in (None, row.target)
            and status in (None, row.status)
            and (due is None or row.due_at <= due)
        ]
        return found[:limit]

    def settle_deliveries(
        self,
        target: str,
        *,
        through: int | None,
        keep: Sequence[DeliveryRow],
        drop: Sequence[int],
        lease: Lease | None = None,
    ) -> None:
        with self._exclusive(lease), self._seeing:
            for number in drop:
                self._deliveries.pop((target, number), None)
            self._deliveries.update({(target, row.number): row for row in keep})
            if through is not None:
                self._delivered[target] = through

    def delivered(self, target: str) -> int | None:
        return self._delivered.get(target)

    def revive(self, target: str, numbers: Sequence[int], due_at: float) -> int:
        with self._exclusive(), self._seeing:
            keys = [(target, number) for number in set(numbers)]
            dead = [k for k in keys if k in self._deliveries and self._deliveries[k].status == "dead"]
            for key in dead:
                self._deliveries[key] = replace(
                    self._deliveries[key], status="waiting", tries=0, due_at=due_at
                )
        return len(dead)
