"""Who is linked to whom, as far as this process has seen: what to lock together, before it is looked up.

These are hints. What holds is read under the lock each time; where the hints were wrong they learn, and the
transaction begins again. So a batch locks all whom it needs at once, in one order, and customers without
links cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MOST = 200_000  # customers remembered; then all are looked up anew


class Companions:
    """Customer ids by person. Used by one thread."""

    def __init__(self) -> None:
        self._person: dict[str, str] = {}
        self._members: dict[str, tuple[str, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._person)

    def person(self, customer_id: str) -> str | None:
        """Whose customer id this is; None for one that is not known to be linked."""
        return self._person.get(customer_id)

    def key(self, customer_id: str) -> str:
        """The same for all customer ids of a person; no customer id has a space."""
        person = self._person.get(customer_id)
        return customer_id if person is None else f"person {person}"

    def of(self, customer_ids: Iterable[str]) -> set[str]:
        """All who are linked to one of these."""
        persons = {self._person[c] for c in customer_ids if c in self._person}
        return {member for person in persons for member in self._members[person]}

    def learn(self, person: str, members: Sequence[str]) -> None:
        """These customer ids, and no others, are one person."""
        if len(self._person) > MOST:
            self._person.clear()
            self._members.clear()
        for former in self._members.get(person, ()):
            self.forget(former)
        for member in members:
            self.forget(member)
            self._person[member] = person
        self._members[person] = tuple(members)

    def forget(self, customer_id: str) -> None:
        """The customer id is linked to nobody."""
        person = self._person.pop(customer_id, None)
        if person is not None:
            left = tuple(member for member in self._members.get(person, ()) if member != customer_id)
            self._members[person] = left
