"""The customers of a write transaction: locked with all who are one person with them, changed in place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from operator import attrgetter
from typing import NoReturn

from nba.companions import Companions
from nba.errors import Conflict
from nba.stores.ports import CustomerRow, Transaction


class Customers:
    """Read once, under the lock; what is changed is written at the end.

    Attributes:
        companions: whom this process knows to be linked.
        extra: customer ids that an attempt before this one found out to be needed; theirs are locked too.
    """

    def __init__(
        self, transaction: Transaction, companions: Companions | None = None, extra: set[str] | None = None
    ) -> None:
        self.companions = Companions() if companions is None else companions
        self.extra = set() if extra is None else extra
        self.transaction = transaction
        self._rows: dict[str, CustomerRow] = {}
        self._locked: set[str] = set()
        self._by_surrogate: dict[str, CustomerRow] = {}
        self._kin: dict[str, list[CustomerRow]] = {}  # person → customers
        self._changed: set[str] = set()

    def customers(self, customer_ids: Sequence[str]) -> list[CustomerRow]:
        """Their rows, made where they are missing and locked; only these may be changed.

        Raises:
            Conflict: it turned out that more have to be locked; the next attempt knows them.
        """
        missing = [c for c in dict.fromkeys(customer_ids) if c not in self._locked]
        if missing:
            self._lock(missing, self.extra)
        return [self._rows[c] for c in customer_ids]

    def customer(self, customer_id: str) -> CustomerRow | None:
        """The row, locked, where there is such a customer. Raises Conflict likewise."""
        if customer_id not in self._locked:
            self._lock([], {customer_id, *self.extra})
        return self._rows.get(customer_id)

    def _lock(self, missing: Sequence[str], extra: set[str]) -> None:
        also = (self.companions.of((*missing, *extra)) | extra) - self._locked
        rows = self.transaction.customers(missing, sorted(also.difference(missing)))
        self._locked.update(rows)
        for row in rows.values():
            self._rows[row.customer_id] = self._by_surrogate[row.surrogate] = row
            if row.person is None and self.companions:
                self.companions.forget(row.customer_id)
        self._whole([row for row in rows.values() if row.person is not None])

    def _whole(self, linked: Sequence[CustomerRow]) -> None:
        """See that all of each one's person are locked, and known to be one. Raises Conflict."""
        if not linked:
            return
        members = self.transaction.members(sorted({str(row.person) for row in linked}))
        wrong = {
            row.person
            for row in linked
            if self.companions.person(row.customer_id) != row.person
            or not self._locked.issuperset(members.get(str(row.person), ()))
        }
        if wrong:
            for person in wrong:
                self.companions.learn(str(person), members[str(person)])
            raise Conflict("customers are one person who were not known to be: what is needed is locked next")
        for row in linked:
            self._kin[str(row.person)] = [self._rows[c] for c in members[str(row.person)]]

    def need(self, rows: Iterable[CustomerRow]) -> NoReturn:
        """Begin again with these and their kin locked, since locking them now could wait for ever."""
        found = list(rows)
        self.extra.update(row.customer_id for row in found)
        persons = sorted({row.person for row in found if row.person is not None})
        for person, members in self.transaction.members(persons).items():
            self.companions.learn(person, members)
        raise Conflict("more customers are concerned than were locked: they are locked next")

    def locked(self, surrogate: str) -> CustomerRow | None:
        """The customer's row where it is locked."""
        row = self._by_surrogate.get(surrogate)
        return row if row is not None and row.customer_id in self._locked else None

    def kin(self, row: CustomerRow) -> list[CustomerRow]:
        """All whose person a locked customer is, in the order of their ids; the row alone for most."""
        return [row] if row.person is None else self._kin[row.person]

    def group(self, members: Sequence[CustomerRow], person: str | None) -> None:
        """From now on these locked customers, and no others, are one person; each is one alone for None."""
        ordered = sorted(members, key=attrgetter("customer_id"))
        for row in ordered:
            if row.person != person:
                row.person = person
                self.changed(row, -inf)
            if person is None:
                self.companions.forget(row.customer_id)
        if person is not None:
            self._kin[person] = ordered
            self.companions.learn(person, [row.customer_id for row in ordered])

    def customers_of(self, surrogates: Sequence[str]) -> dict[str, CustomerRow]:
        """By surrogate, to be read and not changed; an unknown one is left out."""
        missing = [s for s in dict.fromkeys(surrogates) if s not in self._by_surrogate]
        if missing:
            self._by_surrogate.update(self.transaction.customers_of(missing))
        return {s: self._by_surrogate[s] for s in surrogates if s in self._by_surrogate}

    def changed(self, row: CustomerRow, at: float) -> None:
        """The row has been changed by something that happened at `at`."""
        row.version += 1
        row.last_at = max(row.last_at, at)
        self._changed.add(row.customer_id)

    def unsaved(self) -> list[CustomerRow]:
        """What has changed, in the order of the customer ids."""
        return [self._rows[c] for c in sorted(self._changed)]
