"""What is asked of single customers, and who is one person: reads of the store in memory by customer."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter
from typing import TypeVar

from nba.stores.memory_registry import MemoryRegistry
from nba.stores.memory_transaction import Tables, claims_of
from nba.stores.persons import ClaimRow, CustomerRow, ErasedRow
from nba.stores.ports import ContactRow, DecisionRow, TouchpointRow

Row = TypeVar("Row", DecisionRow, TouchpointRow)


class MemoryPeople(MemoryRegistry):
    """A part of `MemoryStore`; see `nba.stores.persons.PersonsInStore`."""

    def __init__(self) -> None:
        super().__init__()
        self._tables = Tables()

    def people(self) -> dict[str, str]:
        with self._seeing:
            people, surrogates = self._tables.people, self._tables.surrogates
            return {surrogates[name]: person for person, names in people.items() for name in names}

    def known(self, customer_id: str) -> list[CustomerRow]:
        with self._seeing:
            surrogate = self._tables.surrogates.get(customer_id)
            if surrogate is None:
                return []
            tables, own = self._tables, self._tables.customers[surrogate]
            if own.person is None:
                return [copy.deepcopy(own)]
            return [copy.deepcopy(tables.customers[tables.surrogates[n]]) for n in tables.people[own.person]]

    def claims_of(self, surrogates: Sequence[str]) -> list[ClaimRow]:
        with self._seeing:
            return claims_of(self._tables, surrogates)

    def erased(self) -> list[ErasedRow]:
        with self._seeing:
            return sorted(self._tables.erased.values(), key=attrgetter("at", "surrogate"))

    def erasure(self, digest: str) -> ErasedRow | None:
        found = [row for row in self.erased() if row.digest == digest]
        return found[-1] if found else None

    def decisions_of(self, surrogates: Sequence[str], limit: int) -> list[DecisionRow]:
        with self._seeing:
            rows = [row for row in self._tables.decisions.values() if row.surrogate in surrogates]
        return sorted(rows, key=attrgetter("decided_at", "decision_id"), reverse=True)[:limit]

    def contacts_of(self, surrogates: Sequence[str], limit: int) -> list[ContactRow]:
        with self._seeing:
            rows = [row for row in self._tables.contacts.values() if row.surrogate in surrogates]
        return sorted(rows, key=attrgetter("send_at", "decision_id"), reverse=True)[:limit]

    def touchpoints_of(
        self, surrogates: Sequence[str], limit: int, types: Sequence[str] | None = None
    ) -> list[TouchpointRow]:
        with self._seeing:
            rows = [row for row in self._tables.touchpoints.values() if row.surrogate in surrogates]
        wanted = [row for row in rows if types is None or row.type in types]
        return sorted(wanted, key=attrgetter("occurred_at", "source", "id"), reverse=True)[:limit]

    def _under(self, rows: list[Row]) -> list[Row]:
        """Rows with whoever is linked under their person."""
        people = self.people()
        if not people:
            return rows
        return [replace(row, surrogate=people.get(row.surrogate, row.surrogate)) for row in rows]
