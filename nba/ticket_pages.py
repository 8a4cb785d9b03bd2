"""Tickets as they stand in the store, as JSON for the API and for commands."""

from __future__ import annotations

import orjson

from nba.errors import NotFound
from nba.stores.ports import Store
from nba.ticket_words import as_json, listed
from nba.tickets import Status


def ticket(store: Store, ticket_id: str) -> bytes:
    """A ticket with its history.

    Raises:
        NotFound: no such ticket.
    """
    row = store.ticket(ticket_id)
    if row is None:
        raise NotFound("there is no such ticket")
    customers = store.names([row.surrogate])
    return orjson.dumps(as_json(row, customers.get(row.surrogate), store.ticket_changes(ticket_id)))


def tickets(
    store: Store, *, customer_id: str | None, status: Status | None, after: str | None, limit: int
) -> bytes:
    """`{"tickets", "next"}`, oldest first, those behind the ticket `after`; `next` is null at the end.

    Raises:
        NotFound: no such ticket to begin behind.
    """
    first = None if after is None else store.ticket(after)
    if after is not None and first is None:
        raise NotFound("there is no such ticket to begin behind")
    theirs = None if customer_id is None else [row.surrogate for row in store.known(customer_id)]
    if theirs == []:
        return orjson.dumps({"tickets": [], "next": None})
    behind = None if first is None else (first.opened_at, first.ticket_id)
    found = store.tickets(surrogates=theirs, status=status, after=behind, limit=limit + 1)
    rows = found[:limit]
    customers = store.names([row.surrogate for row in rows])
    told = [listed(row, customers.get(row.surrogate)) for row in rows]
    return orjson.dumps({"tickets": told, "next": rows[-1].ticket_id if len(found) > limit else None})
