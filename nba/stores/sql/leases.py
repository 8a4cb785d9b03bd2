"""Leases as rows. The caller holds an exclusive transaction, so nobody else takes one meanwhile."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from nba.stores.leasing import ENDED, next_lease, refuse_unless_held
from nba.stores.ports import Lease
from nba.stores.sql.rows import records
from nba.stores.sql.tables import LEASES


def take(connection: Connection, name: str, holder: str, now: float, seconds: float) -> Lease | None:
    """See `nba.stores.ports.Store.lease`."""
    before = _of(connection, name)
    lease = next_lease(before, name=name, holder=holder, now=now, seconds=seconds)
    if lease is None:
        return None
    values = {"holder": lease.holder, "token": lease.token, "until": lease.until}
    if before is None:
        connection.execute(LEASES.insert(), {"name": name, **values})
    else:
        connection.execute(update(LEASES).where(LEASES.c.name == name).values(values))
    return lease


def give_back(connection: Connection, lease: Lease) -> None:
    """See `nba.stores.ports.Store.give_back`."""
    own = (LEASES.c.name == lease.name) & (LEASES.c.token == lease.token) & (LEASES.c.holder == lease.holder)
    connection.execute(update(LEASES).where(own).values(ENDED))


def check(connection: Connection, lease: Lease) -> None:
    """Raises Conflict where the lease is no longer the caller's."""
    refuse_unless_held(_of(connection, lease.name), lease)


def _of(connection: Connection, name: str) -> Lease | None:
    rows = records(connection.execute(select(LEASES).where(LEASES.c.name == name)))
    return Lease(**rows[0]) if rows else None
