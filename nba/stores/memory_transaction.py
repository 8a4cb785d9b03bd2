"""A write transaction in memory: a layer over the committed tables, absorbed by them at the end."""

from __future__ import annotations

import copy
from collections import ChainMap
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter, itemgetter
from typing import Any, Literal

from nba.errors import Conflict
from nba.stores.memory_reactions import MemoryReactionWrites
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

_COUNTING = ("reserved", "held", "shown")
_EMPTY = dict.fromkeys(("digest", "body", "features", "eligible", "odds", "values"), b"")


@dataclass(frozen=True, slots=True)
class Tables:
    """What is committed; or, as layers over that, what a transaction sees."""

    surrogates: Any = field(default_factory=dict)  # customer id → surrogate
    customers: Any = field(default_factory=dict)  # surrogate → row
    decisions: Any = field(default_factory=dict)  # id → row
    contacts: Any = field(default_factory=dict)  # decision id → row
    contacts_of: Any = field(default_factory=dict)  # surrogate → decision ids
    limited: Any = field(default_factory=dict)  # decision id → whether it holds a part of a daily limit
    used: Any = field(default_factory=dict)  # (action, day) → what is used up
    outbox: Any = field(default_factory=dict)  # number → message
    numbers: Any = field(default_factory=lambda: {"outbox": 0})  # table → the last number given
    touchpoints: Any = field(default_factory=dict)  # (source, id) → row
    applied: Any = field(default_factory=dict)  # file → True
    people: Any = field(default_factory=dict)  # person → customer ids, in their order
    claims: Any = field(default_factory=dict)  # (kind, value) → surrogate → claim
    keys_of: Any = field(default_factory=dict)  # surrogate → (kind, value) of its claims
    erased: Any = field(default_factory=dict)  # surrogate → that it was
    tickets: Any = field(default_factory=dict)  # id → row
    ticket_changes: Any = field(default_factory=dict)  # ticket id → rows
    watches: Any = field(default_factory=dict)  # surrogate → row

    def layered(self) -> Tables:
        """Writes go to the layer, reads fall through it."""
        return Tables(*(ChainMap({}, getattr(self, f.name)) for f in fields(self)))

    def absorb(self, layer: Tables) -> None:
        for f in fields(self):
            getattr(self, f.name).update(getattr(layer, f.name).maps[0])
        for decision_id, holds in layer.limited.maps[0].items():
            if not holds:
                del self.limited[decision_id]
        for surrogate in layer.erased.maps[0]:
            self._drop(surrogate)
        for name in ("tickets", "ticket_changes", "watches"):
            for key, row in getattr(layer, name).maps[0].items():
                if row is None:
                    del getattr(self, name)[key]

    def _drop(self, surrogate: str) -> None:
        """What a layer can't take away."""
        row = self.customers.pop(surrogate, None)
        if row is not None:
            self.regroup(row, None)
            del self.surrogates[row.customer_id]
        for key in self.keys_of.pop(surrogate, ()):
            self.claims[key] = {s: claim for s, claim in self.claims[key].items() if s != surrogate}

    def regroup(self, row: CustomerRow, person: str | None) -> None:
        """A customer belongs to this person now; `row` is as it was."""
        if row.person is not None:
            left = tuple(name for name in self.people[row.person] if name != row.customer_id)
            self.people[row.person] = left
        if person is not None:
            self.people[person] = tuple(sorted((*self.people.get(person, ()), row.customer_id)))


class MemoryTransaction(MemoryReactionWrites):
    """See `nba.stores.ports.Transaction`."""

    def __init__(self, tables: Tables, surrogates: Callable[[], str]) -> None:
        self._tables = tables
        self._surrogates = surrogates

    def answers(self, decision_ids: Sequence[str]) -> dict[str, DecisionRow]:
        return {i: self._tables.decisions[i] for i in decision_ids if i in self._tables.decisions}

    def customers(self, customer_ids: Sequence[str], also: Sequence[str] = ()) -> dict[str, CustomerRow]:
        for name in customer_ids:
            if name not in self._tables.surrogates:
                row = CustomerRow(customer_id=name, surrogate=self._surrogates())
                self._tables.surrogates[name] = row.surrogate
                self._tables.customers[row.surrogate] = row
        known = [name for name in (*customer_ids, *also) if name in self._tables.surrogates]
        found = self.customers_of([self._tables.surrogates[name] for name in known])
        return {row.customer_id: row for row in found.values()}

    def customers_of(self, surrogates: Sequence[str]) -> dict[str, CustomerRow]:
        rows = self._tables.customers
        return {s: copy.deepcopy(rows[s]) for s in surrogates if s in rows}

    def save_customers(self, rows: Sequence[CustomerRow]) -> None:
        for row in rows:
            before = self._tables.customers[row.surrogate]
            if before.person != row.person:
                self._tables.regroup(before, row.person)
            self._tables.customers[row.surrogate] = copy.deepcopy(row)

    def contacts(self, surrogates: Sequence[str], since: float) -> list[ContactRow]:
        ids = [i for s in dict.fromkeys(surrogates) for i in self._tables.contacts_of.get(s, ())]
        rows = [self._tables.contacts[i] for i in ids]
        counted = [row for row in rows if row.send_at >= since and row.status in _COUNTING]
        return sorted(counted, key=attrgetter("send_at", "decision_id"))

    def append_decisions(self, rows: Sequence[DecisionRow]) -> None:
        for row in rows:
            _insert(self._tables.decisions, row.decision_id, row)

    def append_contacts(self, rows: Sequence[ContactRow]) -> None:
        for row in rows:
            _insert(self._tables.contacts, row.decision_id, row)
            before = self._tables.contacts_of.get(row.surrogate, ())
            self._tables.contacts_of[row.surrogate] = (*before, row.decision_id)
            if row.status == "held" and row.day is not None:
                self._tables.limited[row.decision_id] = True

    def activate(self, decision_id: str, at: float) -> None:
        decisions = self._tables.decisions
        decisions[decision_id] = replace(decisions[decision_id], status="active", activated_at=at)
        if decision_id in self._tables.contacts:
            self._settle(decision_id, status="shown", expires_at=None)

    def release(
        self, decision_ids: Sequence[str], status: Literal["released", "displaced"]
    ) -> list[ContactRow]:
        rows = [self._tables.contacts.get(i) for i in dict.fromkeys(decision_ids)]
        counted = [row for row in rows if row is not None and row.status in _COUNTING]
        for row in counted:
            self._settle(row.decision_id, status=status)
        return counted

    def lapse(self, now: float) -> list[ContactRow]:
        limited = self._tables.limited
        rows = [self._tables.contacts[i] for i, holds in limited.items() if holds]
        over = [row for row in rows if row.expires_at is not None and row.expires_at <= now]
        for row in over:
            self._settle(row.decision_id, status="lapsed")
        return sorted(over, key=attrgetter("expires_at", "decision_id"))

    def used(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Used]:
        return {key: self._tables.used.get(key, Used()) for key in keys}

    def use(self, amounts: Mapping[tuple[str, str], Used]) -> None:
        for key, amount in amounts.items():
            before = self._tables.used.get(key, Used())
            self._tables.used[key] = Used(
                contacts=before.contacts + amount.contacts, spend=before.spend + amount.spend
            )

    def append_outbox(self, rows: Sequence[OutboxRow]) -> None:
        for row in rows:
            number = self._tables.numbers["outbox"] + 1
            self._tables.numbers["outbox"] = number
            self._tables.outbox[number] = replace(row, number=number)

    def append_touchpoints(self, rows: Sequence[TouchpointRow]) -> list[bool]:
        new = []
        for row in rows:
            new.append((row.source, row.id) not in self._tables.touchpoints)
            self._tables.touchpoints.setdefault((row.source, row.id), row)
        return new

    def applied(self, file: str) -> bool:
        return file in self._tables.applied

    def mark_applied(self, file: str) -> None:
        self._tables.applied[file] = True

    def members(self, persons: Sequence[str]) -> dict[str, list[str]]:
        return {p: list(names) for p in persons if (names := self._tables.people.get(p))}

    def claims(self, keys: Collection[tuple[str, str]]) -> list[ClaimRow]:
        held = (claims for key in sorted(set(keys)) if (claims := self._tables.claims.get(key)))
        return [claims[s] for claims in held for s in sorted(claims) if claims[s].status == "linked"]

    def claims_of(self, surrogates: Sequence[str]) -> list[ClaimRow]:
        return claims_of(self._tables, surrogates)

    def save_claims(self, rows: Sequence[ClaimRow]) -> None:
        tables = self._tables
        for row in rows:
            tables.claims[row.key] = {**tables.claims.get(row.key, {}), row.surrogate: row}
            known = tables.keys_of.get(row.surrogate, ())
            tables.keys_of[row.surrogate] = known if row.key in known else (*known, row.key)

    def erase(self, rows: Sequence[ErasedRow], strip: Callable[[bytes], bytes]) -> Mapping[str, int]:
        tables, gone = self._tables, {row.surrogate for row in rows}
        decisions = [d for d in tables.decisions.values() if d.surrogate in gone and not d.erased]
        for row in decisions:
            tables.decisions[row.decision_id] = replace(row, **_EMPTY, trace=strip(row.trace))
        touchpoints = [(k, t) for k, t in tables.touchpoints.items() if t.surrogate in gone]
        tables.touchpoints.update({key: replace(row, properties=None) for key, row in touchpoints})
        messages = [m for m in tables.outbox.values() if m.surrogate in gone]
        tables.outbox.update({row.number: replace(row, body=b"{}") for row in messages})
        self.forget_reactions(sorted(gone))
        customers = gone & tables.customers.keys()
        claims = claims_of(tables, list(gone))
        for entry in rows:
            if entry.surrogate not in tables.erased:
                tables.erased[entry.surrogate] = entry
        return {
            "decisions": len(decisions),
            "customers": len(customers),
            "profiles": len(customers),
            "identities": len(claims),
            "touchpoints": len(touchpoints),
            "outbox": len(messages),
        }

    def _settle(self, decision_id: str, **changes: Any) -> None:
        """A contact that is no longer held."""
        row = self._tables.contacts[decision_id]
        self._tables.contacts[decision_id] = replace(row, **changes)
        if row.status == "held" and row.day is not None:
            self._tables.limited[decision_id] = False


def claims_of(tables: Tables, surrogates: Sequence[str]) -> list[ClaimRow]:
    """The claims of these customers, in the order of their keys."""
    found = [(key, s, tables.claims[key][s]) for s in set(surrogates) for key in tables.keys_of.get(s, ())]
    return [row for *_, row in sorted(found, key=itemgetter(0, 1))]


def _insert(table: Any, key: str, row: object) -> None:
    if key in table:
        raise Conflict("a row with this id is in the store already")
    table[key] = row
