"""What the company of the demo has on record when it starts, as rows that `nba ingest` reads.

Touchpoints, the legacy campaign's contacts, profiles and consents. Unsubscribing takes consent back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import polars as pl

from experiments.simulate import History, World, day_start
from nba.features.history import COLUMNS

MARKETING = "marketing"


def past(world: World, history: History, days: int) -> pl.DataFrame:
    """Every row of the record, with the history's columns, by time.

    Args:
        history: of `days` days before day 0.
    """
    start = day_start(-days)
    parts = [
        _rows(history.touchpoints),
        revocations(history.touchpoints),
        _contacts(history.contacts),
        _profiles(world, start),
        _consents(world, start),
    ]
    return pl.concat(parts).sort("occurred_at", "event_id")


def attributes(world: World) -> list[dict[str, object]]:
    """What the company knows of each customer, by name."""
    return world.profiles().drop("customer_id").to_dicts()


def contexts(world: World) -> list[dict[str, str]]:
    """What a request for each customer brings along."""
    return world.contexts().drop("customer_id").to_dicts()


def revocations(touchpoints: pl.DataFrame) -> pl.DataFrame:
    """Each unsubscribing as a `consent` that is taken back, for its channel."""
    gone = touchpoints.filter(pl.col("type") == "unsubscribed")
    return _rows(
        gone.with_columns(
            event_id=pl.col("event_id") + ".consent",
            type=pl.lit("consent"),
            properties=pl.lit(json.dumps({"purpose": MARKETING, "granted": False})),
        )
    )


def _contacts(contacts: pl.DataFrame) -> pl.DataFrame:
    made = contacts.with_row_index("number")
    return _rows(
        made.with_columns(
            event_id=pl.concat_str(pl.lit("legacy."), "number"),
            type=pl.lit("contact"),
            occurred_at="decided_at",
            value=pl.lit(1.0),
        )
    )


def _profiles(world: World, at: float) -> pl.DataFrame:
    return _words(
        pl.DataFrame(
            {
                "customer_id": world.profiles()["customer_id"],
                "type": "profile",
                "channel": None,
                "properties": [json.dumps(known) for known in attributes(world)],
            }
        ),
        at,
    )


def _consents(world: World, at: float) -> pl.DataFrame:
    texts: Mapping[bool, str] = {
        granted: json.dumps({"purpose": MARKETING, "granted": granted}) for granted in (True, False)
    }
    said = world.consents(world.initial())
    return _words(
        said.select(
            "customer_id",
            pl.lit("consent").alias("type"),
            "channel",
            pl.col("granted").replace_strict(texts, return_dtype=pl.String).alias("properties"),
        ),
        at,
    )


def _words(said: pl.DataFrame, at: float) -> pl.DataFrame:
    return _rows(
        said.with_columns(
            event_id=pl.concat_str("type", "customer_id", pl.col("channel").fill_null("all"), separator="."),
            occurred_at=pl.lit(int(at * 1e6)).cast(pl.Datetime("us", "UTC")),
            value=pl.lit(0.0),
        )
    )


def _rows(frame: pl.DataFrame) -> pl.DataFrame:
    """The history's columns of a frame; those that it lacks are null."""
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in COLUMNS.items()
    )
