"""A command that meets a defect is answered with it; those that came in with it do not notice."""

from __future__ import annotations

import pytest

from nba.errors import SchemaMismatch
from nba.model import Answer, Receipt, Reports
from nba.stores.ports import Store
from tests.service.business import NOON, Business, event, request


def spoilt(store: Store) -> Business:
    """A business of whose customers one has a state that nobody can read."""
    shop = Business.of(store=store)
    shop.report(*(event(f"c{i}", "visit") for i in range(5)))
    with store.transaction() as transaction:
        (row,) = transaction.customers(["c2"]).values()
        row.state = b"no state at all"
        transaction.save_customers([row])
    return shop


def test_a_customer_who_cannot_be_read_fails_alone(each_store: Store) -> None:
    shop = spoilt(each_store)
    asked = [request(f"c{i}", id=f"d{i}") for i in range(5)]
    answers = shop.service.handle([*asked, Reports(items=(event("c9", "visit"),))], NOON)
    assert [type(answer) for answer in answers] == [Answer, Answer, SchemaMismatch, Answer, Answer, Receipt]
    assert [d for d in (f"d{i}" for i in range(5)) if each_store.decision(d) is not None] == [
        "d0",
        "d1",
        "d3",
        "d4",
    ]
    assert [row.customer_id for row in each_store.known("c9")] == ["c9"]


def test_a_defect_met_by_a_command_that_came_alone_is_raised(each_store: Store) -> None:
    shop = spoilt(each_store)
    with pytest.raises(SchemaMismatch):
        shop.service.handle([request("c2")], NOON)
