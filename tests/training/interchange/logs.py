"""Stores with a log to carry over, and whether two stores say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import orjson

from nba.stores.memory import MemoryStore
from nba.stores.ports import DecisionRow, OutboxRow, Store, TouchpointRow
from tests.service.business import DAY, Business
from tests.training.policy.shop import by_taste, open_shop, trade
from training.policy.log import DecisionLog

ALWAYS = (float("-inf"), float("inf"))


def shop(store: Store | None = None, customers: int = 120) -> tuple[Business, float]:
    """Two days of trade; the rewards of the first are mature at the moment that is returned."""
    business = open_shop(store)
    trade(business, customers, by_taste)
    end = trade(business, customers, by_taste, day=4)
    return business, end + 4 * DAY


def empty(clock: str = "request") -> MemoryStore:
    return MemoryStore("request" if clock == "request" else "live", secret=bytes(range(32)))


def decisions(store: Store) -> list[DecisionRow]:
    return [row for rows in store.decisions(*ALWAYS) for row in rows]


def touchpoints(store: Store) -> list[TouchpointRow]:
    return [row for rows in store.touchpoints(*ALWAYS) for row in rows]


def without_customer(row: DecisionRow) -> DecisionRow:
    """What of a decision must come through: all but the request's digest and the customer's id."""
    answer = orjson.loads(row.body)
    answer.pop("customer_id")
    return replace(row, digest=b"", body=orjson.dumps(answer))


def same_arrays(one: DecisionLog, other: DecisionLog) -> None:
    for name in (
        "customer", "decided_at", "group", "variant", "features", "eligible", "arm", "propensity", "odds",
        "reward", "early", "elapsed", "overlaps", "decision_id", "surrogate",
    ):  # fmt: skip
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def displace(store: Store, ids: Sequence[str]) -> None:
    """As if these decisions' contacts had given way to others."""
    with store.transaction() as transaction:
        transaction.append_outbox(
            [
                OutboxRow(
                    id=f"m-{id}", type="decision.displaced", surrogate="s", decision_id=id, at=0.0, body=b"{}"
                )
                for id in ids
            ]
        )
