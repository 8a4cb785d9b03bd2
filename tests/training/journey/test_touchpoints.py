"""The store's own journeys: touchpoints and contacts in order, stages, and what they are split by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import orjson
import polars as pl
import pytest

from nba.errors import InvalidInput, NotEnoughData
from nba.features.history import SERVED, append
from nba.journey.events import Events
from nba.journey.transitions import variants
from nba.stores.memory import MemoryStore
from nba.stores.ports import DecisionRow, Store
from tests.experiments.report.business import (
    DAY,
    PLAYBOOK,
    SECRET,
    SILENCE,
    TEXT,
    bought,
    decided,
    filled,
    shop,
)
from tests.stores.contract import touchpoint
from training.journey.touchpoints import journeys, of_history

BOOK = shop(TEXT + "attributes: {tier: [gold, plain]}\n")


@pytest.fixture
def store() -> Iterator[Store]:
    def staged(stage: str) -> bytes:
        return orjson.dumps({"stage": stage})

    def shown(id: str, customer: str, at: float, **values: object) -> DecisionRow:
        return decided(id, customer, at, activated_at=None, **values)  # type: ignore[arg-type]

    found = filled(
        MemoryStore(clock="request", secret=SECRET),
        [
            shown("d1", "ann", 2 * DAY, body=staged("new"), group="treatment"),
            shown("d2", "ann", 4 * DAY, arm=SILENCE, body=staged("new")),
            shown("d3", "ann", 6 * DAY, arm=SILENCE, body=staged("buyer")),
            shown("d4", "bob", 3 * DAY, group="holdout", arm=SILENCE, body=staged("new")),
            shown("d5", "bob", 5 * DAY, body=staged("lapsed"), status="held"),
            shown("d6", "bob", 7 * DAY, group="holdout", body=staged("buyer")),
        ],
        [
            touchpoint("v1", surrogate="ann", type="visit", channel="web", occurred_at=DAY),
            touchpoint("c1", surrogate="ann", type="consent", channel="email", occurred_at=DAY),
            touchpoint(
                "p1",
                surrogate="ann",
                type="profile",
                occurred_at=DAY,
                properties=json.dumps({"tier": "gold"}),
            ),
            bought("b1", "ann", 5 * DAY, 40.0),
            bought("b1", "ann", 5 * DAY, 40.0, source="outcome"),
            touchpoint(
                "n1",
                surrogate="bob",
                type="not_sent",
                decision_id="d6",
                occurred_at=8 * DAY,
                source="outcome",
            ),
            touchpoint("v2", surrogate="bob", type="visit", channel="app", occurred_at=9 * DAY),
        ],
    )
    yield found
    found.close()


def sequences(frame: pl.DataFrame) -> list[list[str]]:
    return sorted(variants(Events.of(frame))["steps"].to_list())


def test_touchpoints_and_the_contacts_that_were_sent_are_one_journey(store: Store) -> None:
    """Held and unsent contacts, silence, consents and profiles are no steps; a purchase told twice is one."""
    frame = journeys(store, BOOK)
    assert sequences(frame) == [["visit"], ["visit", "contact", "purchase"]]
    assert frame.filter(pl.col("step") == "purchase")["value"].to_list() == [20.0]  # weight ½


def test_by_stage_a_journey_is_what_stages_follow_each_other(store: Store) -> None:
    frame = journeys(store, BOOK, by="stage")
    assert sequences(frame) == [["new", "buyer"]]
    assert "value" not in frame.columns


def test_nothing_after_as_of_and_before_since_is_seen(store: Store) -> None:
    assert sequences(journeys(store, BOOK, since=1.5 * DAY, until=5 * DAY)) == [["contact"]]
    with pytest.raises(NotEnoughData, match="as-of"):
        journeys(store, BOOK, until=0.5 * DAY)


def test_journeys_split_by_channel_group_and_attribute(store: Store) -> None:
    def parts(split: str) -> dict[str, str]:
        events = Events.of(journeys(store, BOOK, split=split))
        assert events.part is not None
        return dict(zip(events.part.fill_null("?"), events.cluster, strict=True))

    assert set(parts("channel")) == {"web", "app"}
    assert set(parts("group")) == {"treatment", "holdout"}
    assert set(parts("tier")) == {"gold", "?"}


def test_what_a_store_cannot_be_split_by_is_told_with_what_it_can(store: Store) -> None:
    with pytest.raises(InvalidInput, match=r"did you mean 'tier'.*channel, group, period, tier"):
        journeys(store, BOOK, split="teir")


def test_what_was_ingested_stands_among_what_the_store_knows(store: Store, tmp_path: Path) -> None:
    """Under the same customer, what is in both once, and with the attributes that files told."""
    rows = [
        ("e1", "ann", "visit", 0.5 * DAY, None),
        ("v1", "ann", "visit", DAY, None),
        ("e2", "eve", "purchase", 2 * DAY, None),
        ("e3", "eve", "profile", 2 * DAY, json.dumps({"tier": "plain"})),
    ]
    names = ["event_id", "customer_id", "type", "occurred_at", "properties"]
    frame = pl.DataFrame(rows, schema=names, orient="row").with_columns(
        pl.from_epoch(pl.col("occurred_at").cast(pl.Int64), "s").dt.replace_time_zone("UTC"),
        channel=pl.lit(None),
        action=pl.lit(None),
        value=pl.lit(1.0),
    )
    append(tmp_path, frame, "part")
    append(tmp_path, frame.with_columns(event_id=pl.lit("api")), SERVED)  # which the store has itself
    found = journeys(store, BOOK, recorded=tmp_path, split="tier")
    assert sequences(found) == [["purchase"], ["visit"], ["visit", "visit", "contact", "purchase"]]
    assert set(found["part"].drop_nulls()) == {"gold", "plain"}
    late = journeys(store, BOOK, recorded=tmp_path, since=2 * DAY, until=2.5 * DAY)
    assert sequences(late) == [["contact"], ["purchase"]]


def test_a_change_of_stage_is_no_step(store: Store) -> None:
    moved = touchpoint("s1", surrogate="ann", type="stage_changed", occurred_at=1.5 * DAY)
    with store.transaction() as transaction:
        transaction.append_touchpoints([moved])
    assert sequences(journeys(store, BOOK)) == [["visit"], ["visit", "contact", "purchase"]]


def test_an_ingested_history_is_a_source_too(tmp_path: Path) -> None:
    folder = tmp_path / "history"
    rows = [
        ("e1", "c", "visit", "web", 1.0),
        ("e2", "c", "purchase", None, 2.0),
        ("e3", "c", "consent", None, 3.0),
    ]
    frame = pl.DataFrame(rows, schema=["event_id", "customer_id", "type", "channel", "value"], orient="row")
    times = pl.Series("occurred_at", [1, 2, 3]).cast(pl.Datetime("us", "UTC"))
    append(folder, frame.with_columns(times, action=pl.lit(None), properties=pl.lit(None)), "part")
    found = of_history(folder, PLAYBOOK, "channel")
    assert sequences(found) == [["visit", "purchase"]]
    assert sorted(found["value"].to_list()) == [0.0, 1.0]
    with pytest.raises(InvalidInput, match="channel, action or period"):
        of_history(folder, None, "tier")
    with pytest.raises(InvalidInput, match="no history"):
        of_history(tmp_path, None)


def test_what_follows_from_an_event_stands_after_it_and_what_is_noted_is_no_step(tmp_path: Path) -> None:
    """A ticket opens at the moment of the answer, whatever the ids; a change of stage is not on the way."""
    told = [
        touchpoint("z-answer", surrogate="ann", type="nps", value=3.0, occurred_at=DAY),
        touchpoint("a-ticket", surrogate="ann", type="ticket_opened", occurred_at=DAY),
        touchpoint("a-stage", surrogate="ann", type="stage_changed", occurred_at=DAY),
        bought("b1", "ann", 2 * DAY, 40.0),
    ]
    store = filled(MemoryStore(clock="request", secret=SECRET), [], told)
    assert sequences(journeys(store, BOOK)) == [["nps", "ticket_opened", "purchase"]]
    store.close()
    frame = pl.DataFrame(
        [(row.id, "ann", row.type, row.occurred_at * 1e6) for row in reversed(told)],
        schema=["event_id", "customer_id", "type", "occurred_at"],
        orient="row",
    ).with_columns(pl.col("occurred_at").cast(pl.Int64).cast(pl.Datetime("us", "UTC")))
    blank = {"channel": None, "action": None, "value": 0.0, "properties": None}
    append(
        tmp_path,
        frame.sort("occurred_at", "event_id").with_columns(**{k: pl.lit(v) for k, v in blank.items()}),
        "part",
    )
    assert sequences(of_history(tmp_path, BOOK)) == [["nps", "ticket_opened", "purchase"]]
