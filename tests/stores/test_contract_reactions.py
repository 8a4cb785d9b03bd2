"""What every store promises of tickets, looks at customers and deliveries."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from nba.errors import Conflict
from nba.stores.ports import DeliveryRow, Store, WatchRow
from nba.tickets import TicketChangeRow, TicketRow
from tests.stores.contract import message

TICKET = TicketRow(
    ticket_id="t-1",
    surrogate="s-1",
    rule="detractor",
    reason="nps 3",
    event_type="nps",
    event_id="e-1",
    status="open",
    queue="care",
    owner=None,
    opened_at=10.5,
    due_at=20.25,
    changed_at=10.5,
    closed_at=None,
    version=1,
)
CHANGE = TicketChangeRow(
    ticket_id="t-1", version=1, at=10.5, who="nba", what={"status": "open", "due_at": 20.25}, note=None
)
DEAD = DeliveryRow(
    target="webhook.a", number=1, tries=3, due_at=5.0, status="dead", reason="it answered 500", at=60.0
)


def ticket(ticket_id: str, **values: Any) -> TicketRow:
    return replace(TICKET, ticket_id=ticket_id, **values)


def filled(store: Store, *rows: TicketRow) -> None:
    with store.transaction() as transaction:
        transaction.append_tickets(rows)
        transaction.append_ticket_changes([replace(CHANGE, ticket_id=row.ticket_id) for row in rows])


def test_a_ticket_comes_back_as_it_was_written_and_as_it_was_changed(store: Store) -> None:
    filled(store, TICKET)
    noted = TicketChangeRow(ticket_id="t-1", version=2, at=12.0, who="ada", what={}, note="<b>ä</b>\nline")
    after = replace(TICKET, status="closed", owner="ada", closed_at=12.0, changed_at=12.0, version=2)
    with store.transaction() as transaction:
        assert transaction.tickets(["t-1", "t-2"]) == {"t-1": TICKET}
        transaction.save_tickets([after])
        transaction.append_ticket_changes([noted])
        assert transaction.ticket_changes("t-1") == [CHANGE, noted]
    assert store.ticket("t-1") == after
    assert store.ticket("t-2") is None
    assert store.ticket_changes("t-1") == [CHANGE, noted]


def test_a_ticket_id_is_taken_once(store: Store) -> None:
    filled(store, TICKET)
    with pytest.raises(Conflict), store.transaction() as transaction:
        transaction.append_tickets([ticket("t-1", surrogate="s-2")])
    assert store.ticket("t-1") == TICKET


def test_unsettled_tickets_are_those_that_are_open_or_in_progress(store: Store) -> None:
    filled(
        store,
        ticket("t-4", opened_at=1.0),
        ticket("t-2", status="in_progress"),
        ticket("t-1"),
        ticket("t-3", status="resolved", closed_at=11.0),
        ticket("t-5", surrogate="s-2"),
    )
    with store.transaction() as transaction:
        assert [t.ticket_id for t in transaction.unsettled_tickets(["s-1"])] == ["t-4", "t-1", "t-2"]
        assert transaction.unsettled_tickets([]) == []
    assert store.ticket_counts(20.25) == (4, 0)
    assert store.ticket_counts(20.5) == (4, 4)


def test_tickets_are_paged_by_the_time_at_which_they_opened(store: Store) -> None:
    rows = [ticket(f"t-{i}", opened_at=float(i // 2), surrogate=f"s-{i % 3}") for i in range(9)]
    filled(store, *rows[::-1])
    seen: list[TicketRow] = []
    after = None
    while page := store.tickets(after=after, limit=4):
        seen += page
        after = (page[-1].opened_at, page[-1].ticket_id)
    assert seen == rows
    assert [t.ticket_id for t in store.tickets(surrogates=["s-1"])] == ["t-1", "t-4", "t-7"]
    assert store.tickets(status="closed") == []


def test_what_is_forgotten_of_customers_is_gone_and_the_rest_stays(store: Store) -> None:
    filled(store, TICKET, ticket("t-2", surrogate="s-2"))
    with store.transaction() as transaction:
        transaction.save_watches([WatchRow(surrogate=s, due_at=1.0) for s in ("s-1", "s-2")])
    with store.transaction() as transaction:
        transaction.forget_reactions(["s-1", "s-9"])
        assert transaction.tickets(["t-1"]) == {}
    assert (store.ticket("t-1"), store.ticket_changes("t-1")) == (None, [])
    assert len(store.ticket_changes("t-2")) == 1
    with store.transaction() as transaction:
        assert list(transaction.watches(["s-1", "s-2"])) == ["s-2"]


def test_what_a_failed_transaction_forgot_is_still_there(store: Store) -> None:
    filled(store, TICKET)
    with suppress(ZeroDivisionError), store.transaction() as transaction:
        transaction.forget_reactions(["s-1"])
        raise ZeroDivisionError
    assert store.ticket("t-1") == TICKET


def test_settled_tickets_are_pruned_with_their_history(store: Store) -> None:
    filled(
        store, ticket("t-1", status="closed", closed_at=2.0), ticket("t-2", status="closed", closed_at=3.0)
    )
    filled(store, ticket("t-3"))
    assert store.prune(3.0)["tickets"] == 1
    assert [t.ticket_id for t in store.tickets()] == ["t-2", "t-3"]
    assert (len(store.ticket_changes("t-1")), len(store.ticket_changes("t-2"))) == (0, 1)


def test_customers_are_due_at_their_moment_the_longest_first(store: Store) -> None:
    with store.transaction() as transaction:
        rows = transaction.customers(["c-1", "c-2", "c-3"])
        due = {"c-1": 5.0, "c-2": 3.0, "c-3": math.inf}
        watches = [
            WatchRow(surrogate=rows[c].surrogate, due_at=at, memory='{"a":1}') for c, at in due.items()
        ]
        transaction.save_watches(watches)
        assert transaction.watches([rows["c-1"].surrogate]) == {rows["c-1"].surrogate: watches[0]}
    assert store.due(4.0, 10) == ["c-2"]
    assert store.due(5.0, 10) == ["c-2", "c-1"]
    assert store.due(9.0, 1) == ["c-2"]
    with store.transaction() as transaction:
        transaction.save_watches([replace(watches[1], due_at=6.0)])
    assert store.due(5.0, 10) == ["c-1"]


def test_customers_of_whom_no_look_is_remembered_are_due_at_once(store: Store) -> None:
    with store.transaction() as transaction:
        rows = transaction.customers(["c-1", "c-2", "c-3"])
        transaction.save_watches([WatchRow(surrogate=rows["c-1"].surrogate, due_at=9.0)])
    assert store.enlist(1) == 1
    assert store.enlist(10) == 1
    assert store.enlist(10) == 0
    assert sorted(store.due(0.0, 10)) == ["c-2", "c-3"]


def test_deliveries_are_kept_dropped_and_revived_and_the_cursor_with_them(store: Store) -> None:
    waiting = replace(DEAD, number=2, status="waiting", due_at=7.0)
    other = replace(waiting, target="webhook.b")
    assert store.delivered("webhook.a") is None
    store.settle_deliveries("webhook.a", through=2, keep=[waiting, DEAD], drop=[])
    store.settle_deliveries("webhook.b", through=None, keep=[other], drop=[])
    assert store.deliveries() == [DEAD, waiting, other]
    assert store.deliveries("webhook.a", "waiting", 6.9) == []
    assert store.deliveries("webhook.a", "waiting", 7.0) == [waiting]
    assert (store.delivered("webhook.a"), store.delivered("webhook.b")) == (2, None)
    assert store.revive("webhook.a", [1, 2, 3], 9.0) == 1
    assert store.deliveries("webhook.a")[0] == replace(DEAD, status="waiting", tries=0, due_at=9.0)
    store.settle_deliveries("webhook.a", through=5, keep=[replace(waiting, tries=4)], drop=[1])
    assert store.deliveries("webhook.a") == [replace(waiting, tries=4)]
    assert store.delivered("webhook.a") == 5
    assert store.prune(60.5)["outbox"] == 0
    assert store.deliveries() == []


def test_who_has_lost_the_lease_settles_nothing(store: Store) -> None:
    lease = store.lease("deliver", "one", 0.0, 5.0)
    store.lease("deliver", "two", 6.0, 5.0)
    with pytest.raises(Conflict):
        store.settle_deliveries("webhook.a", through=3, keep=[DEAD], drop=[], lease=lease)
    assert (store.deliveries(), store.delivered("webhook.a")) == ([], None)


def test_messages_are_found_by_number(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.append_outbox([message(f"m-{i}") for i in range(3)])
    numbers = [row.number for row in store.outbox(0)]
    assert [row.id for row in store.messages([numbers[2], numbers[0], 99])] == ["m-0", "m-2"]
