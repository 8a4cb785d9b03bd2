"""Touchpoints as journeys: what customers did, as the store and the history know it, and the contacts they
were sent, by customer.

Contacts stand among the touchpoints under the type `contact`, at the moment when they were sent. What only
says something of a customer (consent, profile, identify), what was never sent, and what we note of them
(`stage_changed`) is no step of a journey. A ticket opens because of something, so at one moment it stands
after the customer's own events.
By stage, a journey is the sequence of the stages in which decisions found the customer, each as long as it
lasted, so that a stage never follows itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import orjson
import polars as pl

from experiments.log import displaced
from nba.errors import InvalidInput, NotEnoughData
from nba.features import history
from nba.journey.events import BECAUSE, NO_STEPS
from nba.playbook.compile import Playbook
from nba.playbook.declaration import CONTACT
from nba.playbook.rules import nearest
from nba.rewards.outcomes import worth
from nba.stores.ports import DecisionRow, Store

By = Literal["type", "stage"]
_TOUCHED = {"id": pl.String, "case": pl.String, "type": pl.String, "channel": pl.String} | {
    "at": pl.Float64,
    "value": pl.Float64,
}
_DECIDED = {"id": pl.String, "case": pl.String, "channel": pl.String, "at": pl.Float64} | {
    "sent_at": pl.Float64,
    "group": pl.String,
    "stage": pl.String,
}


def journeys(
    store: Store,
    playbook: Playbook,
    *,
    by: By = "type",
    since: float = float("-inf"),
    until: float = float("inf"),
    split: str | None = None,
    recorded: Path | None = None,
) -> pl.DataFrame:
    """Columns case (surrogate), step, time, by type also value (worth by the objectives), part where split.

    Args:
        since, until: epoch seconds; what happened in [since, until).
        split: `channel` (of the customer's first touchpoint that has one), `group`, or an attribute.
        recorded: a history, whose ingested files count too; what has an id in both counts once.

    Raises:
        InvalidInput: there is nothing of that name to split by.
        NotEnoughData: nothing happened in this time.
    """
    decided = _decided(store, since, until)
    rows = _by_stage(decided) if by == "stage" else _by_type(store, decided, since, until, recorded)
    if rows.is_empty():
        raise NotEnoughData(
            "the store has no journeys in this time; name a file or a history, or move --since and --as-of"
        )
    frame = rows.with_columns(
        time=(pl.col("at") * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us", "UTC")),
        step=pl.col("stage" if by == "stage" else "type"),
    )
    if by == "type":
        frame = frame.with_columns(value=worth(playbook.spec.objectives))
    kept = ["case", "step", "time", *(["value"] if by == "type" else [])]
    if split is None:
        return frame.select(kept)
    if split == "channel":
        return frame.select(*kept, part="channel")
    known = _groups(decided) if split == "group" else _attribute(store, playbook, split, recorded)
    part = pl.col("case").replace_strict(known, default=None, return_dtype=pl.String)
    return frame.select(*kept, part=part)


def of_history(directory: Path, playbook: Playbook | None, split: str | None = None) -> pl.DataFrame:
    """The same, by type, of an ingested history; split by `channel` or `action`.

    Raises:
        InvalidInput: another split, or no history in this folder.
    """
    if split not in (None, "channel", "action"):
        raise InvalidInput.of("split", "a history can be split by channel, action or period")
    if not history.history_files(directory):
        detail = "the folder holds no history; name a file, or a folder that `nba ingest` wrote"
        raise InvalidInput.of("source", detail, source=str(directory))
    told = history.scan(directory, served=False).filter(~pl.col("type").is_in(NO_STEPS)).collect()
    rows = told.sort(pl.col("type").is_in(BECAUSE), maintain_order=True)
    return rows.select(
        pl.col("customer_id").alias("case"),
        pl.col("type").alias("step"),
        pl.col("occurred_at").alias("time"),
        *([] if playbook is None else [worth(playbook.spec.objectives).alias("value")]),
        *([] if split is None else [pl.col(split).alias("part")]),
    )


def _decided(store: Store, since: float, until: float) -> pl.DataFrame:
    """Decisions that were shown, by time; channel is null where nothing was sent."""
    chunks = [pl.DataFrame(schema=_DECIDED)]
    gone = displaced(store)
    for rows in store.decisions(since, until):
        cells = [_cells(row, gone) for row in rows if row.status == "active"]
        chunks.append(pl.DataFrame(cells, schema=_DECIDED, orient="row"))
    return pl.concat(chunks)


def _cells(row: DecisionRow, gone: set[str]) -> tuple[object, ...]:
    sent_at = row.decided_at if row.send_at is None else row.send_at
    channel = None if row.decision_id in gone else row.channel
    stage: Mapping[str, Any] = orjson.loads(row.body) if row.body else {}
    return row.decision_id, row.surrogate, channel, row.decided_at, sent_at, row.group, stage.get("stage")


def _by_type(
    store: Store, decided: pl.DataFrame, since: float, until: float, recorded: Path | None
) -> pl.DataFrame:
    chunks, unsent = [pl.DataFrame(schema=_TOUCHED)], set[str]()
    for rows in store.touchpoints(since, until):
        unsent.update(row.decision_id for row in rows if row.type == "not_sent" and row.decision_id)
        cells = [
            (row.id, row.surrogate, row.type, row.channel, row.occurred_at, row.value)
            for row in rows
            if row.type not in NO_STEPS
        ]
        chunks.append(pl.DataFrame(cells, schema=_TOUCHED, orient="row"))
    if recorded is not None:
        here = pl.col("at").is_between(since, until, closed="left") & ~pl.col("type").is_in(NO_STEPS)
        chunks.append(_recorded(recorded, store).filter(here).select(list(_TOUCHED)).collect())
    # What was reported both as an event and as an outcome under one id counts once, and in a file too.
    told = pl.concat(chunks).unique(["id", "case", "type"], keep="first", maintain_order=True)
    sent = pl.col("channel").is_not_null() & ~pl.col("id").is_in(
        pl.Series(list(unsent), dtype=pl.String).implode()
    )
    contacts = decided.filter(sent, pl.col("sent_at") < until).select(
        "id", "case", type=pl.lit(CONTACT), channel="channel", at="sent_at", value=pl.lit(0.0)
    )
    return pl.concat([contacts, told]).sort(pl.col("type").is_in(BECAUSE), maintain_order=True)


def _recorded(directory: Path, store: Store) -> pl.LazyFrame:
    """What was ingested, under the surrogates of the store; who is not known there keeps the own id."""
    surrogates = {customer: surrogate for surrogate, customer in store.links().items()}
    customer = pl.col("customer_id")
    case = customer.replace_strict(surrogates, default=customer, return_dtype=pl.String)
    return history.scan(directory, served=False).with_columns(
        id="event_id", case=case, at=pl.col("occurred_at").dt.timestamp("us") / 1e6
    )


def _by_stage(decided: pl.DataFrame) -> pl.DataFrame:
    known = decided.filter(pl.col("stage").is_not_null()).sort("case", "at", maintain_order=True)
    moved = (pl.col("stage") != pl.col("stage").shift(1)) | (pl.col("case") != pl.col("case").shift(1))
    return known.filter(moved.fill_null(True))


def _groups(decided: pl.DataFrame) -> dict[str, str]:
    first = decided.unique("case", keep="first", maintain_order=True)
    return dict(first.select("case", "group").iter_rows())


def _attribute(store: Store, playbook: Playbook, name: str, recorded: Path | None) -> dict[str, str]:
    """Each customer's latest value of a declared attribute."""
    declared = list(playbook.spec.attributes)
    if name not in declared:
        detail = f"there is no {name!r} to split by{nearest(name, ['channel', 'group', 'period', *declared])}"
        known = ", ".join(["channel", "group", "period", *declared])
        raise InvalidInput.of("split", f"{detail}; there are {known}")
    said = [
        (row.occurred_at, row.surrogate, row.properties)
        for rows in store.touchpoints(float("-inf"), float("inf"))
        for row in rows
        if row.type == "profile" and row.properties
    ]
    if recorded is not None:
        profiles = _recorded(recorded, store).filter(type="profile").drop_nulls("properties")
        said += profiles.select("at", "case", "properties").collect().rows()
    found: dict[str, str] = {}
    for _, case, properties in sorted(said):
        value = orjson.loads(properties).get(name)
        if value is not None:
            found[case] = str(value)
    return found
