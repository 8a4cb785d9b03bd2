"""A history in the store: once, in any number of goes, the same as if it had been told event by event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nba.errors import StoreUnavailable
from nba.features.history import append
from nba.features.layout import Layout
from nba.features.state import States
from nba.model import Report, Scalar
from nba.playbook.compile import parse
from nba.staging import STANDS
from nba.stores.memory import MemoryStore, MemoryTransaction
from nba.stores.open import open_store
from nba.stores.ports import CustomerRow, Store
from tests.service.business import DAY, NOON, OPEN, Business, event
from tests.serving.test_sweeping import sweeper
from training.apply import Applied, apply_history

PLAYBOOK = parse(OPEN)


def told(seed: int, customers: int = 40, n: int = 300) -> list[Report]:
    """Touchpoints, profiles and consents, some of which say nothing usable."""
    rng = np.random.default_rng(seed)
    reports = []
    for i in range(n):
        customer, at = f"c{rng.integers(customers)}", NOON - float(rng.integers(0, 90 * 86_400_000)) / 1e3
        type_ = str(rng.choice(["visit", "purchase", "profile", "consent", "undeclared"]))
        properties: dict[str, Scalar] = {}
        if type_ == "profile":
            properties = {"age": float(rng.integers(99)), "timezone": str(rng.choice(["UTC", "Asia/Tokyo"]))}
            properties["name"] = "nobody's business"
        if type_ == "consent":
            properties = {"purpose": "marketing", "granted": bool(rng.integers(2))}
        channel = str(rng.choice(["email", "push"])) if rng.random() < 0.7 else None
        value = float(rng.integers(100))
        id = f"{seed}-{i}"
        reports.append(event(customer, type_, at, id=id, channel=channel, value=value, properties=properties))
    return reports


def write(folder: Path, reports: list[Report], part: str) -> None:
    rows = [_row(report) for report in reports]
    append(folder, pl.DataFrame(rows, schema_overrides={"action": pl.String, "channel": pl.String}), part)


def _row(report: Report) -> dict[str, Any]:
    assert report.occurred_at is not None
    return {
        "event_id": report.id,
        "customer_id": report.customer_id,
        "type": report.type,
        "channel": report.channel,
        "action": None,
        "occurred_at": datetime.fromtimestamp(report.occurred_at, UTC),
        "value": report.value,
        "properties": json.dumps(report.properties) if report.properties else None,
    }


def rows(store: Store) -> dict[str, CustomerRow]:
    with store.transaction() as transaction:
        return transaction.customers(sorted(store.links().values()))


def same(one: dict[str, CustomerRow], other: dict[str, CustomerRow]) -> None:
    """Attributes, consents and moments alike; states to 1e-9."""
    assert set(one) == set(other)
    names = sorted(one)
    for name in names:
        a, b = one[name], other[name]
        b.attributes.pop(STANDS, None)  # where they stand is noticed by the server alone
        assert (a.attributes, a.consents) == (b.attributes, b.consents)
        assert a.last_at == pytest.approx(b.last_at, abs=1e-6)
    layout = Layout.of(PLAYBOOK.schema)
    at = np.full(len(names), NOON)
    read = [States.unpack(layout, [part[name].state for name in names]).read(at) for part in (one, other)]
    np.testing.assert_allclose(read[0], read[1], rtol=1e-9, atol=1e-9)


def test_a_history_gives_the_state_that_its_events_give_one_by_one(tmp_path: Path) -> None:
    first, later = told(1), told(2)
    write(tmp_path, first, "a")
    write(tmp_path, later, "b")
    store = MemoryStore()
    applied = apply_history(store, PLAYBOOK, tmp_path)
    assert applied.unusable == 0
    online = Business.of(PLAYBOOK, MemoryStore())
    for report in [*later, *first]:
        online.report(report)
    same(rows(store), rows(online.store))
    whole = str([(row.attributes, row.consents) for row in rows(store).values()])
    assert "nobody's business" not in whole


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_applying_twice_changes_nothing_and_new_files_are_added(tmp_path: Path, kind: str) -> None:
    store = open_store("memory:" if kind == "memory" else f"sqlite:///{tmp_path}/nba.db")
    history = tmp_path / "history"
    write(history, told(1), "a")
    assert apply_history(store, PLAYBOOK, history).customers > 0
    before = rows(store)
    assert apply_history(store, PLAYBOOK, history) == Applied(customers=0, unusable=0)
    assert rows(store) == before
    write(history, told(2), "b")
    apply_history(store, PLAYBOOK, history)
    whole = MemoryStore()
    apply_history(whole, PLAYBOOK, history)
    same(rows(store), rows(whole))
    store.close()


class Failing(MemoryStore):
    """A store whose transactions fail from the n-th on, at their very end."""

    left = 10

    @contextmanager
    def transaction(self) -> Iterator[MemoryTransaction]:
        with super().transaction() as transaction:
            yield transaction
            self.left -= 1
            if self.left < 0:
                raise StoreUnavailable("the disk is full")


def test_what_died_midway_is_completed_by_running_again(tmp_path: Path) -> None:
    write(tmp_path, told(1), "a")
    write(tmp_path, told(2), "b")
    store = Failing()
    with pytest.raises(StoreUnavailable):
        apply_history(store, PLAYBOOK, tmp_path)
    store.left = 1_000
    assert 0 < len(rows(store)) < 40
    apply_history(store, PLAYBOOK, tmp_path)
    whole = MemoryStore()
    apply_history(whole, PLAYBOOK, tmp_path)
    same(rows(store), rows(whole))


def test_words_that_say_nothing_usable_are_counted_and_left_out(tmp_path: Path) -> None:
    bad = [
        event("c0", "consent", properties={"granted": "maybe"}),
        event("c0", "consent", channel="fax", properties={"granted": True}),
        event("c1", "profile", properties={"timezone": "Moon/Base"}),
        event("c1", "visit"),
    ]
    write(tmp_path, bad, "a")
    store = MemoryStore()
    assert apply_history(store, PLAYBOOK, tmp_path) == Applied(customers=2, unusable=3)
    assert [(row.attributes, row.consents) for row in rows(store).values()] == [({}, {}), ({}, {})]


def test_a_history_is_readable_under_a_playbook_that_comes_later(tmp_path: Path) -> None:
    """Nothing was served in between, and a second history comes in under the new one."""
    write(tmp_path, [event("c0", "visit"), event("c0", "purchase", value=5.0)], "a")
    store = MemoryStore()
    apply_history(store, PLAYBOOK, tmp_path)
    later = parse(OPEN.replace("[visit, purchase]", "[opened, purchase, visit]"))
    write(tmp_path, [event("c0", "opened", NOON - DAY / 2)], "b")
    apply_history(store, later, tmp_path)
    business = Business.of(later, store)
    business.decide("c0", id="d", now=NOON)
    features = business.trace("d")["trace"]["features"]
    assert [features[f"{name}_total"] for name in ("opened", "purchase", "visit")] == [1.0, 1.0, 1.0]


def test_who_comes_back_by_a_file_can_be_missed_again(tmp_path: Path) -> None:
    """An absence that was told has no next look of its own: the file has to bring one about."""
    quiet = f"{OPEN}\ntriggers:\n  quiet: {{absence: {{of: visit, for: 14d}}, silence: true}}\n"
    store, at = MemoryStore("request"), [NOON + 14 * DAY]
    Business.of(quiet, store).report(event("c0", "visit", NOON))
    one = sweeper(store, quiet, at)
    assert one.once() == (1, 1)
    write(tmp_path, [event("c0", "visit", NOON + 15 * DAY, id="file-1")], "one")
    apply_history(store, parse(quiet), tmp_path)
    at[0] = NOON + 16 * DAY
    assert one.once() == (1, 0)
    at[0] = NOON + 29 * DAY
    assert one.once() == (1, 1)
