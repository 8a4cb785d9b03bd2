"""The outbox over HTTP: what the orchestrator pulls, from where it left off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from nba.stores.memory import MemoryStore
from nba.stores.ports import OutboxRow
from tests.serving.running import served, wiring

MOMENT = 1_800_000_000.0


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server whose outbox holds 250 messages."""
    store = MemoryStore()
    with store.transaction() as transaction:
        surrogate = transaction.customers(["c-17"])["c-17"].surrogate
        transaction.append_outbox(
            [
                OutboxRow(
                    id=f"message-{i}",
                    type="decision.displaced",
                    surrogate=surrogate,
                    decision_id=f"d-{i}",
                    at=MOMENT + i,
                    body=b'{"displaced_by":"d-900"}',
                )
                for i in range(250)
            ]
        )
    with served(wiring(tmp_path_factory.mktemp("artefacts"), store=store)) as http:
        yield http


def test_a_message_says_what_happened_to_which_decision_of_whom(filled: httpx.Client) -> None:
    [message] = filled.get("/v1/outbox?limit=1").json()["messages"]
    assert message == {
        "number": 1,
        "id": "message-0",
        "type": "decision.displaced",
        "at": "2027-01-15T08:00:00Z",
        "customer_id": "c-17",
        "decision_id": "d-0",
        "data": {"displaced_by": "d-900"},
    }


def test_pulling_from_next_on_gives_every_message_once_in_order(filled: httpx.Client) -> None:
    numbers: list[int] = []
    after = 0
    while messages := (page := filled.get(f"/v1/outbox?after={after}&limit=100").json())["messages"]:
        numbers += [message["number"] for message in messages]
        after = page["next"]
    assert numbers == list(range(1, 251))
    assert page["next"] == after == 250


def test_a_page_that_was_pulled_is_there_again(filled: httpx.Client) -> None:
    assert filled.get("/v1/outbox?after=7").content == filled.get("/v1/outbox?after=7").content


def test_a_hundred_come_unless_told_otherwise(filled: httpx.Client) -> None:
    assert len(filled.get("/v1/outbox").json()["messages"]) == 100
    assert len(filled.get("/v1/outbox?limit=1000").json()["messages"]) == 250


def test_an_empty_outbox_gives_back_where_one_was(tmp_path: Path) -> None:
    with served(wiring(tmp_path)) as http:
        assert http.get("/v1/outbox?after=41").json() == {"messages": [], "next": 41}
