"""The real case: which offer for whom, from a randomised log of a coffee chain's rewards programme.

Six waves of sending; per wave and customer one of ten offers or none, drawn with odds 0.075 for each and
0.25 for none, which was inferred by tests and is not documented. One decision is one customer and wave.
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nba.features.history import scan
from nba.features.offline import table
from nba.features.rows import stage_of
from nba.playbook.compile import Playbook, parse
from training.ingest.adapters import adapter
from training.ingest.adapters.starbucks_offers import NAME, START
from training.ingest.run import ingest
from training.policy.log import DecisionLog

WAVE_HOURS = (0, 168, 336, 408, 504, 576)
LAST_HOUR = 714
P_NONE, P_OFFER = 0.25, 0.075
Floats = NDArray[np.float64]


def playbook() -> Playbook:
    """The programme as a playbook: `training/cases/starbucks.yaml`."""
    text = files("training.cases").joinpath("starbucks.yaml").read_text(encoding="utf-8")
    return parse(text, source="starbucks.yaml")


def decision_log(book: Playbook, history: pl.DataFrame) -> DecisionLog:
    """The log: a decision for each customer and wave, in order of time.

    Reward = spend from this wave to the next, less offer rewards redeemed in it, clipped as the playbook
    says. Features know what was before the wave; what happened in the wave's own hour comes after it.

    Args:
        history: rows as ingested, customers with a profile are the population.
    """
    moments = _moments(history)
    touchpoints = history.filter(~pl.col("type").is_in(["profile", "consent"]))
    rows = table(touchpoints, moments, book.schema).sort("at", "customer_id")
    arm = _arms(book, rows, touchpoints)
    n, k = len(rows), len(book.arms)
    odds = np.full((n, k), P_OFFER)
    odds[:, 0] = P_NONE
    return DecisionLog(
        customer=rows["customer_id"].rank("dense").to_numpy().astype(np.int64) - 1,
        decided_at=rows["at"].dt.epoch("us").to_numpy() / 1e6,
        group=np.full(n, "treatment"),
        features=_features(book, rows, history),
        eligible=np.ones((n, k), dtype=np.bool_),
        arm=arm,
        propensity=odds[np.arange(n), arm],
        odds=odds,
        reward=_rewards(book, rows, touchpoints),
    )


def _moments(history: pl.DataFrame) -> pl.DataFrame:
    customers = history.filter(pl.col("type") == "profile").select("customer_id").unique().sort("customer_id")
    ends = (*WAVE_HOURS[1:], LAST_HOUR + 1)  # the last hour with events belongs to the last wave
    waves = pl.DataFrame(
        {
            "wave": [float(i) for i in range(len(WAVE_HOURS))],
            "at": [_moment(hour) for hour in WAVE_HOURS],
            "until": [_moment(hour) for hour in ends],
        },
        schema_overrides={"at": pl.Datetime("us", "UTC"), "until": pl.Datetime("us", "UTC")},
    ).with_columns(
        ((pl.col("until") - pl.col("at")).dt.total_hours()).cast(pl.Float64).alias("hours_to_next")
    )
    return customers.join(waves, how="cross")


def _moment(hour: int) -> datetime:
    return datetime.fromtimestamp(START.timestamp() + hour * 3600, UTC)


def _arms(book: Playbook, rows: pl.DataFrame, touchpoints: pl.DataFrame) -> NDArray[np.int64]:
    sent = touchpoints.filter(pl.col("type") == "contact").select("customer_id", "occurred_at", "action")
    joined = rows.select("customer_id", "at").join(
        sent, left_on=["customer_id", "at"], right_on=["customer_id", "occurred_at"], how="left"
    )
    joined = joined.sort("at", "customer_id")
    names = {name.split("/")[0]: arm for arm, name in enumerate(book.arms.names)}
    return np.array([0 if action is None else names[action] for action in joined["action"]], dtype=np.int64)


def _rewards(book: Playbook, rows: pl.DataFrame, touchpoints: pl.DataFrame) -> Floats:
    signed = (
        touchpoints.filter(pl.col("type").is_in(["purchase", "completed"]))
        .with_columns(pl.when(pl.col("type") == "purchase").then("value").otherwise(-pl.col("value")))
        .select("customer_id", "occurred_at", "value")
        .sort("occurred_at")
    )
    waves = rows.select("customer_id", "at").sort("at")
    earned = (
        signed.join_asof(
            waves, left_on="occurred_at", right_on="at", by="customer_id", check_sortedness=False
        )
        .group_by("customer_id", "at")
        .agg(pl.col("value").sum())
    )
    joined = rows.select("customer_id", "at").join(earned, on=["customer_id", "at"], how="left")
    total = joined.sort("at", "customer_id")["value"].fill_null(0.0).to_numpy()
    clip = book.spec.objectives.clip
    return np.asarray(np.clip(total, *clip) if clip else total, dtype=np.float64)


def _features(book: Playbook, rows: pl.DataFrame, history: pl.DataFrame) -> Floats:
    schema = book.schema
    X = np.full((len(rows), len(schema)), np.nan)
    X[:, : len(schema.state_names)] = rows.select(schema.state_names).to_numpy()
    profiles = (
        history.filter(pl.col("type") == "profile")
        .select("customer_id", pl.col("properties").str.json_decode(_PROFILE).alias("profile"))
        .unnest("profile")
    )
    known = rows.select("customer_id", "at").join(profiles, on="customer_id", how="left")
    known = known.sort("at", "customer_id")
    for name in ("age", "income", "member_days"):
        X[:, schema.index[name]] = known[name].cast(pl.Float64).to_numpy()
    categories = schema.features[schema.index["gender"]].categories
    codes = {name: float(i) for i, name in enumerate(categories)}
    X[:, schema.index["gender"]] = [codes.get(g, np.nan) if g else np.nan for g in known["gender"]]
    for name in ("wave", "hours_to_next"):
        X[:, schema.index[name]] = rows[name].to_numpy()
    X[:, schema.index["offers_running"]] = _running(book, X)
    X[:, schema.index["stage"]] = stage_of(book.stage_rules, X)
    return X


_PROFILE = pl.Struct(
    {"gender": pl.String, "age": pl.Float64, "income": pl.Float64, "member_days": pl.Float64}
)


def _running(book: Playbook, X: Floats) -> Floats:
    """(n,) offers sent whose days have not passed; one that was completed meanwhile still counts."""
    running = np.zeros(len(X))
    for name, action in book.spec.actions.items():
        age = X[:, book.schema.index[f"days_since_{name.replace('-', '_')}"]]
        running += age < action.attributes["days"]  # NaN, never sent, is not running
    return running


def load_history(folder: Path, history: Path) -> pl.DataFrame:
    """Ingest the data set into `history` and read it back whole.

    Raises:
        InvalidInput: a file is missing or not as published.
    """
    ingest(
        adapter(NAME)(folder),
        history=history,
        quarantine=history / "quarantine.jsonl",
        as_of=_moment(LAST_HOUR).timestamp(),
    )
    return scan(history).collect()
