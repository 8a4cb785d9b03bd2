"""`starbucks-offers`: `transcript`, `profile` and `portfolio`, simulated by their publisher.

Hours count from `START`, a convention: no customer became a member later. Sending an offer is `contact`
with the offer as its action (`bogo-10-7d`: kind, reward, days) on `email`, which every offer uses beside
others (`properties.channels`); viewing it is `opened`, fulfilling it `completed` with the reward as value,
a transaction `purchase` with the amount. A profile counts from the day the customer became a member.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import polars as pl

from nba.errors import InvalidInput
from training.ingest.adapters.table import content_ids, cut, objects, read
from training.ingest.batch import Batch

NAME = "starbucks-offers"
START = datetime(2018, 7, 30, tzinfo=UTC)
TYPES = {
    "offer received": "contact",
    "offer viewed": "opened",
    "offer completed": "completed",
    "transaction": "purchase",
}


def offers(folder: Path) -> pl.DataFrame:
    """One row an offer: offer_id, action (its readable name), channel, properties (JSON text).

    Raises:
        InvalidInput: the file is not there or not as published.
    """
    path = folder / "portfolio.parquet"
    table = read(path, ["id", "offer_type", "reward", "duration", "difficulty", "channels"])
    rows = [
        {
            "offer_id": offer["id"],
            "action": offer_name(offer["offer_type"], offer["reward"], offer["duration"]),
            "offer_channel": "email" if "email" in offer["channels"] else offer["channels"][0],
            "properties": orjson.dumps(
                {
                    "reward": offer["reward"],
                    "difficulty": offer["difficulty"],
                    "duration_days": offer["duration"],
                    "channels": offer["channels"],
                }
            ).decode(),
        }
        for offer in table.to_dicts()
    ]
    named = pl.DataFrame(rows)
    if named["action"].n_unique() != named.height:
        raise InvalidInput.of("offer_type", "two offers would have the same name", source=str(path))
    return named


def offer_name(kind: str, reward: int, days: int) -> str:
    return f"{kind}-{reward}-{days}d" if reward else f"{kind}-{days}d"


def batches(folder: Path) -> Iterator[Batch]:
    """Profiles, then events. Raises InvalidInput where a file is missing or not as published."""
    profiles = folder / "profile.parquet"
    table = read(profiles, ["id", "gender", "age", "income", "became_member_on"])
    yield from cut(profiles, _profiles(table))
    transcript = folder / "transcript.parquet"
    events = read(transcript, ["person", "event", "time", "offer_id", "amount", "reward"])
    yield from cut(transcript, _events(events, offers(folder)))


def _profiles(table: pl.DataFrame) -> pl.DataFrame:
    since = pl.col("became_member_on")
    fields = {name: pl.col(name) for name in ("gender", "age", "income")}
    fields["member_since"] = since.cast(pl.String())
    fields["member_days"] = (pl.lit(START.date()) - since).dt.total_days()
    return table.select(
        content_ids(table, ["id", "became_member_on"], f"{NAME} profile"),
        pl.col("id").alias("customer_id"),
        pl.lit("profile").alias("type"),
        since.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias("occurred_at"),
        objects(fields).alias("properties"),
        "line",
    )


def _events(table: pl.DataFrame, offers: pl.DataFrame) -> pl.DataFrame:
    identity = ["person", "event", "time", "offer_id", "amount", "reward"]
    ids = content_ids(table, identity, f"{NAME} transcript")
    joined = table.hstack([ids]).join(offers, on="offer_id", how="left", maintain_order="left")
    value = pl.coalesce("amount", "reward").cast(pl.Float64())
    return joined.select(
        "event_id",
        pl.col("person").alias("customer_id"),
        pl.col("event").replace(TYPES).alias("type"),
        "action",
        pl.when(pl.col("event") == "offer received").then("offer_channel").alias("channel"),
        (pl.lit(START) + pl.duration(hours="time")).dt.cast_time_unit("us").alias("occurred_at"),
        value.alias("value"),
        "properties",
        "line",
    )
