"""A write transaction in SQL. What it reads under a lock doesn't change until it ends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import inf
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection

from nba.stores.ports import (
    ClaimRow,
    ContactRow,
    CustomerRow,
    DecisionRow,
    ErasedRow,
    OutboxRow,
    TouchpointRow,
    Used,
)
from nba.stores.sql.database import Database
from nba.stores.sql.erase import erase
from nba.stores.sql.prepared import Prepared
from nba.stores.sql.reactions import ReactionStatements, ReactionWrites
from nba.stores.sql.rows import customer, profile
from nba.stores.sql.statements import LISTED, Statements
from nba.stores.sql.tables import DECISIONS, TOUCHPOINTS

Row = TypeVar("Row")


class SqlTransaction(ReactionWrites):
    """See `nba.stores.ports.Transaction`.

    Attributes:
        erased: whether somebody was.
    """

    def __init__(
        self,
        connection: Connection,
        database: Database,
        statements: Statements,
        reactions: ReactionStatements,
        surrogates: Callable[[], str],
    ) -> None:
        self._connection = connection
        self._database = database
        self._statements = statements
        self._reactions = reactions
        self._surrogates = surrogates
        self._messages: list[OutboxRow] = []
        self.erased = False

    def answers(self, decision_ids: Sequence[str]) -> dict[str, DecisionRow]:
        found = logged(self._connection, self._database, self._statements, decision_ids)
        return _as_asked(decision_ids, {row.decision_id: row for row in found})

    def customers(self, customer_ids: Sequence[str], also: Sequence[str] = ()) -> dict[str, CustomerRow]:
        known = self._customers([*customer_ids, *also])
        missing = [name for name in dict.fromkeys(customer_ids) if name not in known]
        if missing:
            self._make(missing)
            known |= self._customers(missing)
        return _as_asked([*customer_ids, *also], known)

    def customers_of(self, surrogates: Sequence[str]) -> dict[str, CustomerRow]:
        found = self._among(self._statements.customers_of, surrogates)
        return _as_asked(surrogates, {record["surrogate"]: customer(record) for record in found})

    def save_customers(self, rows: Sequence[CustomerRow]) -> None:
        self._statements.save.run_each(self._connection, map(profile, rows))

    def contacts(self, surrogates: Sequence[str], since: float) -> list[ContactRow]:
        found = self._among(self._statements.contacts, surrogates, since=since)
        return [ContactRow(**record) for record in found]

    def append_decisions(self, rows: Sequence[DecisionRow]) -> None:
        if rows:
            self._database.make_room(DECISIONS, max(row.decided_at for row in rows))
        for statement in self._statements.decisions:
            statement.write(self._connection, rows)

    def append_contacts(self, rows: Sequence[ContactRow]) -> None:
        self._statements.new_contacts.write(self._connection, rows)

    def activate(self, decision_id: str, at: float) -> None:
        self._statements.activate.run(self._connection, of=decision_id, at=at)
        self._statements.reserve.run(self._connection, of=decision_id)

    def release(
        self, decision_ids: Sequence[str], status: Literal["released", "displaced"]
    ) -> list[ContactRow]:
        found = self._among(self._statements.counted, decision_ids)
        counted = {record["decision_id"]: ContactRow(**record) for record in found}
        self._settle(list(counted), status)
        return list(_as_asked(decision_ids, counted).values())

    def lapse(self, now: float) -> list[ContactRow]:
        found = self._statements.lapsing.read(self._connection, now=now)
        over = [ContactRow(**record) for record in found]
        self._settle([row.decision_id for row in over], "lapsed")
        return over

    def used(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Used]:
        found = self._used(keys)
        missing = sorted(set(keys) - found.keys())
        if missing:  # a row that isn't there can't be locked
            made = [{"action": action, "day": day} for action, day in missing]
            self._statements.new_limits.run_each(self._connection, made)
            found |= self._used(missing)
        return _as_asked(keys, found)

    def use(self, amounts: Mapping[tuple[str, str], Used]) -> None:
        added = [
            {"action": action, "day": day, "contacts": amount.contacts, "spend": amount.spend}
            for (action, day), amount in sorted(amounts.items())
        ]
        self._statements.use.run_each(self._connection, added)

    def append_outbox(self, rows: Sequence[OutboxRow]) -> None:
        self._messages += rows  # written at the end: from their numbering on, others have to wait

    def append_touchpoints(self, rows: Sequence[TouchpointRow]) -> list[bool]:
        known = {key for source in {row.source for row in rows} for key in self._known(source, rows)}
        new: list[bool] = []
        for row in rows:
            new.append((row.source, row.id) not in known)
            known.add((row.source, row.id))
        fresh = [row for row, is_new in zip(rows, new, strict=True) if is_new]
        if fresh:
            self._database.make_room(TOUCHPOINTS, max(row.occurred_at for row in fresh))
        for statement in self._statements.touchpoints:
            statement.write(self._connection, fresh)
        return new

    def applied(self, file: str) -> bool:
        return bool(self._statements.applied.read(self._connection, file=file))

    def mark_applied(self, file: str) -> None:
        if not self.applied(file):
            self._statements.mark.run(self._connection, file=file)

    def members(self, persons: Sequence[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for record in self._among(self._statements.members, persons):
            found.setdefault(record["person"], []).append(record["customer_id"])
        return _as_asked(persons, found)

    def claims(self, keys: Collection[tuple[str, str]]) -> list[ClaimRow]:
        wanted = set(keys)
        self._database.alone(self._connection, [f"{kind}:{value}" for kind, value in sorted(wanted)])
        kinds = self._database.listed(sorted({kind for kind, _ in wanted}))
        values = sorted({value for _, value in wanted})
        rows = [ClaimRow(**r) for r in self._among(self._statements.claims, values, kinds=kinds)]
        return [row for row in rows if row.key in wanted]

    def claims_of(self, surrogates: Sequence[str]) -> list[ClaimRow]:
        return [ClaimRow(**record) for record in self._among(self._statements.claims_of, surrogates)]

    def save_claims(self, rows: Sequence[ClaimRow]) -> None:
        self._statements.save_claims.write(self._connection, rows)

    def erase(self, rows: Sequence[ErasedRow], strip: Callable[[bytes], bytes]) -> Mapping[str, int]:
        self.erased = True
        self.forget_reactions([row.surrogate for row in rows])
        return erase(self._connection, self._database, rows, strip)

    def finish(self) -> None:
        """The last before the commit."""
        if self._messages:
            self._database.in_turn(self._connection)
            self._statements.outbox.write(self._connection, self._messages)

    def _customers(self, customer_ids: Sequence[str]) -> dict[str, CustomerRow]:
        found = self._among(self._statements.customers, customer_ids)
        return {record["customer_id"]: customer(record) for record in found}

    def _make(self, customer_ids: Sequence[str]) -> None:
        """Make these customers, but for those that another transaction has made meanwhile."""
        made = {name: self._surrogates() for name in customer_ids}
        rows = [{"customer_id": name, "surrogate": made[name]} for name in sorted(made)]
        self._statements.new_customers.run_each(self._connection, rows)
        listed = {LISTED: self._database.listed(list(made.values()))}
        self._statements.new_profiles.run(self._connection, never=-inf, **listed)

    def _settle(self, decision_ids: Sequence[str], status: str) -> None:
        if decision_ids:
            listed = {LISTED: self._database.listed(decision_ids)}
            self._statements.settle.run(self._connection, status=status, **listed)

    def _used(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Used]:
        """What is used up of these, and maybe of other actions on the same days."""
        days = self._database.listed(sorted({day for _, day in keys}))
        found = self._among(self._statements.limits, sorted({action for action, _ in keys}), days=days)
        return {(r["action"], r["day"]): Used(contacts=r["contacts"], spend=r["spend"]) for r in found}

    def _known(self, source: str, rows: Sequence[TouchpointRow]) -> list[tuple[str, str]]:
        """The keys of `rows` from this source that the store has."""
        ids = [row.id for row in rows if row.source == source]
        found = self._among(self._statements.known, ids, source=source)
        return [(source, record["id"]) for record in found]

    def _among(self, statement: Prepared, values: Sequence[str], **bound: Any) -> list[dict[str, Any]]:
        """The rows of a statement that takes a list."""
        if not values:
            return []
        return statement.read(self._connection, **bound, **{LISTED: self._database.listed(values)})


def logged(
    connection: Connection, database: Database, statements: Statements, decision_ids: Sequence[str]
) -> list[DecisionRow]:
    """The logged decisions among these, in any order."""
    if not decision_ids:
        return []
    bound = {LISTED: database.listed(decision_ids)}
    if statements.decided is not None:
        span = statements.decided.read(connection, **bound)[0]
        if span["first"] is None:
            return []
        bound |= span
    return [DecisionRow(**record) for record in statements.answers.read(connection, **bound)]


def _as_asked(keys: Sequence[Any], found: Mapping[Any, Row]) -> dict[Any, Row]:
    """In the order asked: a database has none of its own, and sums downstream must not depend on it."""
    return {key: found[key] for key in keys if key in found}
