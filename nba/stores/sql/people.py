"""What is asked of single customers, and who is one person: reads of the SQL store by customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Select, Table, select

from nba.stores.persons import ClaimRow, CustomerRow, ErasedRow
from nba.stores.ports import ContactRow, DecisionRow, TouchpointRow
from nba.stores.sql.registry import SqlRegistry
from nba.stores.sql.rows import customer
from nba.stores.sql.statements import LISTED
from nba.stores.sql.tables import CONTACTS, CUSTOMERS, DECISIONS, ERASED, IDENTITIES, PROFILES, TOUCHPOINTS


class SqlPeople(SqlRegistry):
    """A part of `SqlStore`; see `nba.stores.persons.PersonsInStore`."""

    def people(self) -> dict[str, str]:
        column = PROFILES.c
        rows = self._read(select(column.surrogate, column.person).where(column.person.is_not(None)))
        return {record["surrogate"]: record["person"] for record in rows}

    def known(self, customer_id: str) -> list[CustomerRow]:
        columns = [column for column in PROFILES.c if column.name != "surrogate"]
        every = select(CUSTOMERS, *columns).join(PROFILES, PROFILES.c.surrogate == CUSTOMERS.c.surrogate)
        found = self._read(every.where(CUSTOMERS.c.customer_id == customer_id))
        if found and found[0]["person"] is not None:
            linked = every.where(PROFILES.c.person == found[0]["person"])
            kin = self._read(linked.order_by(CUSTOMERS.c.customer_id))
            found = kin if any(r["customer_id"] == customer_id for r in kin) else found  # undone meanwhile
        return [customer(record) for record in found]

    def claims_of(self, surrogates: Sequence[str]) -> list[ClaimRow]:
        column = IDENTITIES.c
        found = select(IDENTITIES).order_by(column.kind, column.value, column.surrogate)
        return [ClaimRow(**record) for record in self._of(found, IDENTITIES, surrogates)]

    def erased(self) -> list[ErasedRow]:
        rows = self._read(select(ERASED).order_by(ERASED.c.at, ERASED.c.surrogate))
        return [ErasedRow(**record) for record in rows]

    def erasure(self, digest: str) -> ErasedRow | None:
        latest = select(ERASED).where(ERASED.c.digest == digest).order_by(ERASED.c.at.desc()).limit(1)
        rows = self._read(latest)
        return ErasedRow(**rows[0]) if rows else None

    def decisions_of(self, surrogates: Sequence[str], limit: int) -> list[DecisionRow]:
        found = _latest(DECISIONS, ("decided_at", "decision_id"), limit)
        return [DecisionRow(**record) for record in self._of(found, DECISIONS, surrogates)]

    def contacts_of(self, surrogates: Sequence[str], limit: int) -> list[ContactRow]:
        found = _latest(CONTACTS, ("send_at", "decision_id"), limit)
        return [ContactRow(**record) for record in self._of(found, CONTACTS, surrogates)]

    def touchpoints_of(
        self, surrogates: Sequence[str], limit: int, types: Sequence[str] | None = None
    ) -> list[TouchpointRow]:
        found = _latest(TOUCHPOINTS, ("occurred_at", "source", "id"), limit)
        if types is not None:
            found = found.where(TOUCHPOINTS.c.type.in_(list(types)))
        return [TouchpointRow(**record) for record in self._of(found, TOUCHPOINTS, surrogates)]

    def _of(
        self, statement: Select[Any], table: Table, surrogates: Sequence[str]
    ) -> Sequence[Mapping[str, Any]]:
        if not surrogates:
            return []
        among = self._database.among(table.c.surrogate, LISTED)
        return self._read(statement.where(among), **{LISTED: self._database.listed(surrogates)})


def _latest(table: Table, order: Sequence[str], limit: int) -> Select[Any]:
    columns: list[Column[Any]] = [table.c[name] for name in order]
    return select(table).order_by(*(column.desc() for column in columns)).limit(limit)


def under(people: Mapping[str, str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with whoever is linked under their person."""
    for row in rows if people else ():
        if "surrogate" in row:
            row["surrogate"] = people.get(row["surrogate"], row["surrogate"])
    return rows
