"""The history links who is one person, has no identity in clear, and forgets who was erased."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from nba.features.history import bucket_of, history_files, scan
from nba.model import Erased, Erasure, Withdrawal
from nba.stores.memory import MemoryStore
from tests.service.business import DAY, NOON, Business, event, timestamp
from training.apply import apply_history
from training.forgetting import Erasures, hide
from training.ingest.files import batches
from training.ingest.run import IngestReport, ingest
from training.served import bring_back

TEXT = """
name: shop
currency: EUR
touchpoints: [visit, purchase]
objectives: {window: 7d, outcomes: {purchase: {value: amount}}}
stages: [{name: all, when: "true"}]
channels: {email: {consent: false}}
timings: {now: {}}
actions: {offer: {channels: [email], timings: [now]}}
groups: {holdout: 0, random_eligible: 0}
"""


def row(customer: str, type: str, n: int, **more: Any) -> dict[str, Any]:
    at = timestamp(NOON - 20 * DAY + n)
    return {"event_id": f"{customer}-{n}", "customer_id": customer, "type": type, "occurred_at": at, **more}


def brought_in(shop: Business, folder: Path, *rows: dict[str, Any]) -> IngestReport:
    """As `nba ingest` does it, with a store."""
    source, store = folder / "events.jsonl", shop.store
    source.write_text("".join(json.dumps(one) + "\n" for one in rows))
    erasures, history = Erasures.of(store), folder / "history"
    bring_back(store, history)
    report = ingest(
        batches([source], None),
        history=history,
        quarantine=folder / "quarantine.jsonl",
        as_of=NOON,
        private=lambda good: hide(store.secret, erasures.left(good)),
    )
    apply_history(store, shop.live.current.playbook, history)
    return report


def shop() -> Business:
    return Business.of(TEXT, MemoryStore("live", secret=bytes(32)))


def claim(value: str) -> dict[str, str]:
    return {"kind": "email", "value": value}


def test_a_history_links_customers_as_events_do_and_keeps_no_identity_in_clear(tmp_path: Path) -> None:
    business = shop()
    rows = [
        row("ann", "purchase", 0, value=5.0),
        row("bob", "visit", 1),
        row("ann", "identify", 2, properties=claim("x@y")),
        row("bob", "identify", 3, properties=claim("x@y")),
        row("cyd", "identify", 4, properties={"kind": "email"}),
    ]
    assert brought_in(business, tmp_path, *rows).accepted == 5
    assert [r.customer_id for r in business.store.known("bob")] == ["ann", "bob"]
    held = b"".join(file.read_bytes() for file in history_files(tmp_path / "history"))
    assert b"x@y" not in held
    assert "x@y" not in str(scan(tmp_path / "history").collect()["properties"].to_list())
    business.report(event("dan", "identify", properties=claim("x@y")))  # over the API, the same identity
    assert len(business.store.known("dan")) == 3
    features = business.trace(business.decide("dan")["decision_id"])["trace"]["features"]
    assert (features["visit_total"], features["purchase_total"]) == (1.0, 1.0)
    assert brought_in(business, tmp_path, *rows).duplicates == 5


def test_the_history_of_linked_customers_is_read_as_one_persons_until_it_is_undone(tmp_path: Path) -> None:
    business, history = shop(), tmp_path / "history"
    names = [f"c{i}" for i in range(6)]
    assert len({bucket_of(name) for name in names}) > 1
    brought_in(business, tmp_path, *(row(name, "visit", i) for i, name in enumerate(names)))
    apart = scan(history).collect()
    business.report(*(event(name, "identify", properties=claim("x@y")) for name in names[:4]))
    bring_back(business.store, history)
    rows = scan(history).collect()
    assert rows.filter(pl.col("type") == "visit")["customer_id"].sort().to_list() == ["c0"] * 4 + names[4:]
    whole = pl.concat([scan(history, [bucket]).collect() for bucket in range(64)])
    assert whole.sort("event_id").equals(rows.sort("event_id"))
    assert scan(history, [bucket_of("c0")]).collect().filter(pl.col("customer_id") == "c0").height == 8
    for name in names[:4]:
        business.one(Withdrawal(customer_id=name))
    bring_back(business.store, history)
    undone = scan(history).collect().filter(pl.col("type") == "visit")
    assert undone.sort("event_id").equals(apart.sort("event_id"))


def test_who_was_erased_is_gone_from_the_history_and_does_not_come_back_with_the_file(tmp_path: Path) -> None:
    business, history = shop(), tmp_path / "history"
    rows = [row(name, "visit", i) for i in range(3) for name in ("ann", "bob")]
    brought_in(business, tmp_path, *rows)
    business.report(event("ann", "visit", NOON - DAY), now=NOON)
    bring_back(business.store, history)
    assert isinstance(business.one(Erasure(customer_id="ann", who="ada"), NOON), Erased)
    bring_back(business.store, history)
    assert scan(history).collect()["customer_id"].unique().to_list() == ["bob"]
    report = brought_in(business, tmp_path, *rows)
    assert (report.accepted, report.duplicates, report.erased) == (0, 3, 3)
    assert business.store.known("ann") == []
    business.report(event("ann", "visit", NOON + DAY), now=NOON + DAY)
    bring_back(business.store, history)
    assert scan(history).collect().filter(pl.col("customer_id") == "ann").height == 1


def test_who_is_erased_while_a_file_is_read_does_not_come_back_with_it(tmp_path: Path) -> None:
    """A long ingest knows who was erased when it began; what it wrote goes into the store at its end."""
    business, history = shop(), tmp_path / "history"
    business.report(event("ann", "visit", NOON - 30 * DAY), now=NOON)
    rows = [row(name, "visit", i) for i in range(3) for name in ("ann", "bob")]
    rows += [row(name, "identify", 7, properties=claim("x@y")) for name in ("ann", "bob")]
    source = tmp_path / "events.jsonl"
    source.write_text("".join(json.dumps(one) + "\n" for one in rows))
    ingest(batches([source], None), history=history, quarantine=tmp_path / "quarantine.jsonl", as_of=NOON)
    assert isinstance(business.one(Erasure(customer_id="ann", who="ada"), NOON), Erased)
    assert apply_history(business.store, business.live.current.playbook, history).customers == 1
    assert business.store.known("ann") == []
    assert [r.customer_id for r in business.store.known("bob")] == ["bob"]
