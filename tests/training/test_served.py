"""What the API received reaches the history, and what a playbook newly declares reaches the store."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl

from nba.features.history import COLUMNS, append, scan
from nba.features.layout import Layout
from nba.features.state import States
from nba.playbook.compile import parse
from nba.stores.memory import MemoryStore
from tests.service.business import NOON, Business, consents, event, outcome
from training.apply import apply_history
from training.served import bring_back

TEXT = files("nba.playbook").joinpath("sample.yaml").read_text(encoding="utf-8")


def _row(event_id: str, type: str, properties: dict[str, object] | None = None) -> dict[str, object]:
    return {
        "event_id": event_id,
        "customer_id": "c-1",
        "type": type,
        "channel": None,
        "action": None,
        "occurred_at": NOON - 86_400.0,
        "value": 1.0,
        "properties": json.dumps(properties) if properties else None,
    }


def _history(folder: Path, *rows: dict[str, object]) -> None:
    frame = pl.DataFrame(list(rows), schema_overrides={"channel": pl.String, "action": pl.String})
    frame = frame.with_columns((pl.col("occurred_at") * 1e6).cast(pl.Int64).cast(pl.Datetime("us", "UTC")))
    append(folder, frame.select(COLUMNS.names()), "first")


def test_what_the_api_received_and_decided_is_in_the_history_once(tmp_path: Path) -> None:
    business = Business.of(TEXT)
    _history(tmp_path, _row("in-a-file", "purchase"))
    bought = event("c-1", "purchase", id="e-1"), outcome("purchase", id="e-1", customer_id="c-1")
    business.report(consents("c-1"), *bought, event("c-1", "purchase", id="in-a-file"))
    contacts = sum(business.decide("c-1", NOON + i)["channel"] is not None for i in range(20))
    for _ in range(2):
        bring_back(business.store, tmp_path)
    rows = scan(tmp_path).collect()
    assert rows.filter(pl.col("type") == "purchase")["event_id"].sort().to_list() == ["e-1", "in-a-file"]
    assert rows.filter(pl.col("type") == "contact").height == contacts == 3


def test_an_attribute_or_a_type_that_is_declared_later_is_brought_in_then(tmp_path: Path) -> None:
    store = MemoryStore("live")
    _history(tmp_path, _row("p", "profile", {"city": "Delft", "age": 40}), _row("r", "returned"))
    apply_history(store, parse(TEXT), tmp_path)
    more = TEXT.replace("attributes:\n", "attributes:\n  city: [Delft, Gent]\n", 1)
    later = parse(more.replace("touchpoints: [visit,", "touchpoints: [returned, visit,", 1))
    assert apply_history(store, later, tmp_path).customers == 1
    assert apply_history(store, later, tmp_path).customers == 0
    with store.transaction() as transaction:
        row = transaction.customers(["c-1"])["c-1"]
    assert row.attributes["city"][0] == "Delft"
    features = States.unpack(Layout.of(later.schema), [row.state]).read(np.array([NOON + 60.0]))[0]
    assert features[later.schema.index["returned_total"]] == 1.0
