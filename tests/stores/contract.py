"""What every store is tested with: the table of stores, and rows to fill them with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nba.stores.memory import MemoryStore
from nba.stores.open import open_store
from nba.stores.ports import ContactRow, DecisionRow, Store, TouchpointRow

Opener = Callable[[Path], Store]

STORES: dict[str, Opener] = {
    "memory": lambda folder: MemoryStore(),
    "sqlite": lambda folder: open_store(f"sqlite:///{folder / 'nba.db'}"),
}

DECISION = DecisionRow(
    decision_id="d-1",
    surrogate="s-1",
    decided_at=100.0,
    arm="bogo|email|evening",
    action="bogo",
    channel="email",
    timing="evening",
    send_at=200.5,
    propensity=0.83,
    group="treatment",
    policy="linear@7",
    playbook="coffee@9f3c",
    status="active",
    activated_at=100.0,
    digest=b"\x00\xff" * 16,
    body=b'{"decision_id": "d-1"}',
    trace=b"{}",
    features=b"\x00" * 8,
    eligible=b"\x01",
    odds=b"\x00" * 8,
    values=b"",
)
CONTACT = ContactRow(
    decision_id="d-1",
    surrogate="s-1",
    action="bogo",
    channel="email",
    purpose="marketing",
    send_at=200.5,
    status="reserved",
)
TOUCHPOINT = TouchpointRow(
    source="event",
    id="e-1",
    surrogate="s-1",
    type="visit",
    channel="web",
    occurred_at=50.0,
    value=1.5,
    properties='{"page": "/ä"}',
)


def decision(decision_id: str, **values: Any) -> DecisionRow:
    return replace(DECISION, decision_id=decision_id, **values)


def contact(decision_id: str, **values: Any) -> ContactRow:
    return replace(CONTACT, decision_id=decision_id, **values)


def touchpoint(touchpoint_id: str, **values: Any) -> TouchpointRow:
    return replace(TOUCHPOINT, id=touchpoint_id, **values)


def add_one(store: Store, customer_id: str, times: int) -> None:
    """Read a customer and write it back one version on, `times` times."""
    for _ in range(times):
        with store.transaction() as transaction:
            row = transaction.customers([customer_id])[customer_id]
            row.version += 1
            transaction.save_customers([row])


def version(store: Store, customer_id: str) -> int:
    with store.transaction() as transaction:
        return transaction.customers([customer_id])[customer_id].version
