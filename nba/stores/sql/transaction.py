"""A write transaction in SQL. It holds the store's lock: nothing changes between its reads and its writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Select

from nba.stores.ports import ContactRow, CustomerRow, DecisionRow, TouchpointRow
from nba.stores.sql.database import Database
from nba.stores.sql.rows import customer, parameters, profile, records
from nba.stores.sql.statements import LISTED, Statements
from nba.stores.sql.tables import APPLIED_FILES, CONTACTS, CUSTOMERS, DECISIONS, PROFILES, TOUCHPOINTS

Row = TypeVar("Row")


class SqlTransaction:
    """See `nba.stores.ports.Transaction`."""

    def __init__(
        self,
        connection: Connection,
        database: Database,
        statements: Statements,
        surrogates: Callable[[], str],
    ) -> None:
        self._connection = connection
        self._database = database
        self._statements = statements
        self._surrogates = surrogates

    def answers(self, decision_ids: Sequence[str]) -> dict[str, DecisionRow]:
        found = self._among(self._statements.answers, decision_ids)
        return _as_asked(decision_ids, {record["decision_id"]: DecisionRow(**record) for record in found})

    def customers(self, customer_ids: Sequence[str]) -> dict[str, CustomerRow]:
        found = self._among(self._statements.customers, customer_ids)
        known = {record["customer_id"]: customer(record) for record in found}
        missing = [name for name in dict.fromkeys(customer_ids) if name not in known]
        created = [CustomerRow(customer_id=name, surrogate=self._surrogates()) for name in missing]
        if created:
            self._connection.execute(CUSTOMERS.insert(), parameters(CUSTOMERS, created))
            self._connection.execute(PROFILES.insert(), [profile(row) for row in created])
        return _as_asked(customer_ids, known | {row.customer_id: row for row in created})

    def customers_of(self, surrogates: Sequence[str]) -> dict[str, CustomerRow]:
        found = self._among(self._statements.customers_of, surrogates)
        return _as_asked(surrogates, {record["surrogate"]: customer(record) for record in found})

    def save_customers(self, rows: Sequence[CustomerRow]) -> None:
        if rows:
            changed = [profile(row) for row in rows]
            for values in changed:
                values["of"] = values.pop("surrogate")
            self._connection.execute(self._statements.save, changed)

    def contacts(self, surrogates: Sequence[str], since: float) -> list[ContactRow]:
        found = self._among(self._statements.contacts, surrogates, since=since)
        return [ContactRow(**record) for record in found]

    def append_decisions(self, rows: Sequence[DecisionRow]) -> None:
        if rows:
            self._connection.execute(DECISIONS.insert(), parameters(DECISIONS, rows))

    def append_contacts(self, rows: Sequence[ContactRow]) -> None:
        if rows:
            self._connection.execute(CONTACTS.insert(), parameters(CONTACTS, rows))

    def activate(self, decision_id: str, at: float) -> None:
        self._connection.execute(self._statements.activate, {"of": decision_id, "at": at})
        self._connection.execute(self._statements.reserve, {"of": decision_id})

    def append_touchpoints(self, rows: Sequence[TouchpointRow]) -> list[bool]:
        known = {key for source in {row.source for row in rows} for key in self._known(source, rows)}
        new: list[bool] = []
        for row in rows:
            new.append((row.source, row.id) not in known)
            known.add((row.source, row.id))
        fresh = [row for row, is_new in zip(rows, new, strict=True) if is_new]
        if fresh:
            self._connection.execute(TOUCHPOINTS.insert(), parameters(TOUCHPOINTS, fresh))
        return new

    def applied(self, file: str) -> bool:
        return self._connection.execute(self._statements.applied, {"file": file}).first() is not None

    def mark_applied(self, file: str) -> None:
        if not self.applied(file):
            self._connection.execute(APPLIED_FILES.insert(), {"file": file})

    def _known(self, source: str, rows: Sequence[TouchpointRow]) -> list[tuple[str, str]]:
        """The keys of `rows` from this source that the store has."""
        ids = [row.id for row in rows if row.source == source]
        found = self._among(self._statements.touchpoints, ids, source=source)
        return [(source, record["id"]) for record in found]

    def _among(self, statement: Select[Any], values: Sequence[str], **bound: Any) -> list[dict[str, Any]]:
        """The rows of a statement that takes a list."""
        if not values:
            return []
        listed = {LISTED: self._database.listed(values), **bound}
        return records(self._connection.execute(statement, listed))


def _as_asked(keys: Sequence[str], found: Mapping[str, Row]) -> dict[str, Row]:
    """In the order asked: a database has none of its own, and sums downstream must not depend on it."""
    return {key: found[key] for key in keys if key in found}
