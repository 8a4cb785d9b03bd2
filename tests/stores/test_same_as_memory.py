"""Every store answers a long random history as the one in memory does."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from nba.errors import Conflict
from nba.stores.memory import MemoryStore
from nba.stores.ports import Store, Transaction, Used
from nba.stores.sql.database import Database
from nba.stores.sql.store import SqlStore
from tests.stores.contract import contact, decision, message, touchpoint


def _step(transaction: Transaction, chance: random.Random) -> Iterator[Any]:
    """One transaction's work, drawn by `chance`; yields all that the store answers."""
    names = [f"c-{chance.randrange(12)}" for _ in range(chance.randrange(1, 5))]
    rows = transaction.customers(names)
    yield list(rows.items())
    for row in rows.values():
        row.version += 1
        row.last_at = max(row.last_at, chance.uniform(0, 100))
        row.attributes["tier"] = [chance.choice(["gold", None, 3, 0.1]), row.last_at]
    transaction.save_customers(list(rows.values()))
    surrogates = [row.surrogate for row in rows.values()]
    yield transaction.contacts(surrogates, chance.uniform(0, 100))
    ids = [f"d-{chance.randrange(400)}" for _ in surrogates]
    logged = transaction.answers(ids)
    yield list(logged.items())
    new = [(i, s) for i, s in zip(ids, surrogates, strict=True) if i not in logged]
    at = chance.uniform(0, 100)
    held = [decision(i, surrogate=s, decided_at=at, status="held", activated_at=None) for i, s in new]
    transaction.append_decisions(held)
    until: dict[str, Any] = {"status": "held", "expires_at": at + 5}
    until["day"] = chance.choice([None, "2026-11-22"])
    transaction.append_contacts([contact(i, surrogate=s, send_at=at, **until) for i, s in new])
    for i in logged:
        transaction.activate(i, at)
    events = [touchpoint(f"e-{chance.randrange(300)}", occurred_at=at, surrogate=s) for s in surrogates]
    yield transaction.append_touchpoints(events)
    yield from _limits(transaction, chance)


def _limits(transaction: Transaction, chance: random.Random) -> Iterator[Any]:
    names = [f"d-{chance.randrange(400)}" for _ in range(3)]
    yield transaction.release(names, chance.choice(["released", "displaced"]))
    yield transaction.lapse(chance.uniform(0, 30))
    keys = [(chance.choice("ab"), chance.choice("12")) for _ in range(2)]
    yield transaction.used(keys)
    amount = Used(contacts=chance.choice([1, -1]), spend=chance.uniform(-5, 5))
    transaction.use(dict.fromkeys(keys, amount))
    transaction.append_outbox([message(name, at=chance.uniform(0, 100)) for name in names])


def _history(store: Store) -> Iterator[Any]:
    """300 transactions, about one in ten abandoned; then all that can be read."""
    chance = random.Random(7)
    for _ in range(300):
        fails = chance.random() < 0.1
        try:
            with store.transaction() as transaction:
                yield list(_step(transaction, chance))
                if fails:
                    raise ZeroDivisionError
        except (Conflict, ZeroDivisionError) as error:
            yield type(error)
        if chance.random() < 0.02:
            yield store.prune(chance.uniform(0, 40))
    yield list(store.decisions(-math.inf, math.inf, chunk=7))
    yield list(store.touchpoints(10.0, 90.0, chunk=11))
    yield store.links()
    yield [replace(row, number=0) for row in store.outbox(0)]


def _surrogates() -> Any:
    numbers = itertools.count()
    return lambda: f"s-{next(numbers)}"


def test_every_database_answers_a_random_history_as_memory_does(database: Database) -> None:
    memory = MemoryStore(surrogates=_surrogates())
    stored = SqlStore(database, surrogates=_surrogates())
    for ours, reference in zip(_history(stored), _history(memory), strict=True):
        assert ours == reference
