"""What every store promises of forgetting."""

from __future__ import annotations

import math

import pytest

from nba.stores.ports import Store, Used
from nba.stores.sql import prune
from tests.stores.contract import add_one, contact, decision, message, touchpoint, version


def _fill(store: Store, at: list[float]) -> None:
    """A decision, a contact, an event, an outcome and a message at each time, named by their place."""
    with store.transaction() as transaction:
        transaction.append_decisions([decision(f"d-{i}", decided_at=t) for i, t in enumerate(at)])
        transaction.append_contacts([contact(f"d-{i}", send_at=t + 0.5) for i, t in enumerate(at)])
        transaction.append_touchpoints([touchpoint(f"t-{i}", occurred_at=t) for i, t in enumerate(at)])
        outcomes = [touchpoint(f"t-{i}", occurred_at=t, source="outcome") for i, t in enumerate(at)]
        transaction.append_touchpoints(outcomes)
        transaction.append_outbox([message(f"m-{i}", at=t) for i, t in enumerate(at)])


def test_what_is_older_is_forgotten_and_the_rest_stays(store: Store) -> None:
    _fill(store, [5.0, 1.0, 3.0, 2.0, 9.0])
    assert store.prune(3.0) == {"decisions": 2, "contacts": 2, "touchpoints": 4, "outbox": 2, "tickets": 0}
    assert [r.decision_id for part in store.decisions(-math.inf, math.inf) for r in part] == [
        "d-2", "d-0", "d-4"
    ]  # fmt: skip
    left = [(r.source, r.id) for part in store.touchpoints(-math.inf, math.inf) for r in part]
    assert left == [(s, i) for i in ("t-2", "t-0", "t-4") for s in ("event", "outcome")]
    assert [row.id for row in store.outbox(0)] == ["m-0", "m-2", "m-4"]
    with store.transaction() as transaction:
        kept = [row.decision_id for row in transaction.contacts(["s-1"], -math.inf)]
        assert kept == ["d-2", "d-0", "d-4"]
        assert list(transaction.answers(["d-0", "d-1", "d-2", "d-3"])) == ["d-0", "d-2"]
    assert store.decision("d-1") is None
    assert sum(store.prune(3.0).values()) == 0


def test_customers_publications_playbooks_and_limits_outlive_what_is_forgotten(store: Store) -> None:
    add_one(store, "c-1", 3)
    links = store.links()
    publication = store.publish(
        kind="policy", version="aa", specification="ridge", at=1.0, who="ada", why="first"
    )
    store.keep_playbook("coffee@1", "name: coffee")
    key = ("bogo", "1970-01-01")
    with store.transaction() as transaction:
        transaction.use({key: Used(contacts=2)})
    store.prune(1e9)
    assert version(store, "c-1") == 3
    assert store.links() == links
    assert store.audit() == [publication]
    assert store.playbook("coffee@1") == "name: coffee"
    with store.transaction() as transaction:
        assert transaction.used([key]) == {key: Used(contacts=2)}


def test_a_forgotten_id_is_unknown_and_can_be_used_anew(store: Store) -> None:
    _fill(store, [1.0])
    store.prune(2.0)
    with store.transaction() as transaction:
        assert transaction.answers(["d-0"]) == {}
        transaction.append_decisions([decision("d-0", decided_at=7.0)])
        transaction.append_contacts([contact("d-0", send_at=7.5)])
        assert transaction.append_touchpoints([touchpoint("t-0", occurred_at=7.0)]) == [True]
    assert store.decision("d-0") == decision("d-0", decided_at=7.0)


def test_a_message_number_is_never_given_twice(store: Store) -> None:
    _fill(store, [1.0, 2.0])
    last = store.outbox(0)[-1].number
    assert store.prune(9.0)["outbox"] == 2
    with store.transaction() as transaction:
        transaction.append_outbox([message("m-9")])
    assert [row.id for row in store.outbox(last)] == ["m-9"]


def test_what_is_held_and_forgotten_does_not_lapse(store: Store) -> None:
    with store.transaction() as transaction:
        held = contact("d-1", status="held", day="2026-11-22", send_at=1.0, expires_at=5.0)
        transaction.append_contacts([held])
    assert store.prune(2.0)["contacts"] == 1
    with store.transaction() as transaction:
        assert transaction.lapse(9.0) == []


def test_chunks_of_two_forget_as_much(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prune, "CHUNK", 2)
    _fill(store, [1.0, 1.0, 1.0, 1.0, 1.0, 8.0])
    assert store.prune(3.0) == {"decisions": 5, "contacts": 5, "touchpoints": 10, "outbox": 5, "tickets": 0}
    assert [len(part) for part in store.decisions(0.0, 9.0)] == [1]
    assert [len(part) for part in store.touchpoints(0.0, 9.0)] == [2]
