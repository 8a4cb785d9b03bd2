"""What every store is tested with: the tables of stores, and rows to fill them with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from nba.stores.ports import ContactRow, DecisionRow, OutboxRow, Store, TouchpointRow
from nba.stores.sql.database import Database
from nba.stores.sql.postgres import Postgres
from nba.stores.sql.sqlite import SQLite

STORES: dict[str, Callable[[pytest.FixtureRequest], str]] = {  # where one is to be made
    "memory": lambda request: "memory:",
    "sqlite": lambda request: f"sqlite:///{request.getfixturevalue('tmp_path') / 'nba.db'}",
    "postgresql": lambda request: str(request.getfixturevalue("emptied_postgres_url")),
}
SHARED: dict[str, Callable[[pytest.FixtureRequest], str]] = {  # those for several processes, from nothing
    "sqlite": STORES["sqlite"],
    "postgresql": lambda request: str(request.getfixturevalue("postgres_url")),
}
DATABASES: dict[str, Callable[[str], Database]] = {  # what lies below the SQL stores
    "sqlite": lambda url: SQLite(Path(url.removeprefix("sqlite:///"))),
    "postgresql": lambda url: Postgres(make_url(url)),
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
    category="offers",
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


MESSAGE = OutboxRow(
    id="m-1", type="decision.displaced", surrogate="s-1", decision_id="d-1", at=60.0, body=b'{"by": "d-2"}'
)


def decision(decision_id: str, **values: Any) -> DecisionRow:
    return replace(DECISION, decision_id=decision_id, **values)


def contact(decision_id: str, **values: Any) -> ContactRow:
    return replace(CONTACT, decision_id=decision_id, **values)


def touchpoint(touchpoint_id: str, **values: Any) -> TouchpointRow:
    return replace(TOUCHPOINT, id=touchpoint_id, **values)


def message(message_id: str, **values: Any) -> OutboxRow:
    return replace(MESSAGE, id=message_id, **values)


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
