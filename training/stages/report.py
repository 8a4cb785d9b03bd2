"""The stages of a playbook in figures: who stands where, changes, stays, and where customers are heading.

Who stands where is computed from the history; changes and stays are those that the server noticed,
touchpoints of type `stage_changed`. What was before it saw a customer for the first time is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from nba.errors import NotEnoughData
from nba.features import history
from nba.features.rows import moves, stage_of
from nba.journey.scores import NEXT_STAGE, ScoreModels
from nba.playbook.compile import Playbook
from nba.staging import CHANGED
from training.propensity.dataset import feature_rows
from training.stages.dwell import quantiles

Floats = NDArray[np.float64]
_CHANGES = {
    "customer_id": pl.String,
    "from": pl.String,
    "to": pl.String,
    "since": pl.Float64,
    "at": pl.Float64,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One stage.

    Attributes:
        customers, share: who stand in it.
        over, going_on: stays that were seen to end, and stays that were seen to begin and go on.
        dwell_seconds: quartiles of how long a stay lasts; None where so many are not over yet.
        move_on, fall_back: mean odds of standing further up or down the list after the reward window, by the
            models that serve; None without.
    """

    stage: str
    customers: int
    share: float
    over: int
    going_on: int
    dwell_seconds: tuple[float | None, ...]
    move_on: float | None
    fall_back: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """Changes from one stage to another: how many, of how many customers, after what median stay."""

    before: str
    after: str
    count: int
    customers: int
    median_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """`unknown` are the customers of whom no stage's rule surely holds."""

    playbook: str
    as_of: float
    customers: int
    unknown: int
    stages: tuple[Standing, ...]
    transitions: tuple[Transition, ...]

    def to_json(self) -> dict[str, Any]:
        told = asdict(self)
        for one in told["transitions"]:
            one["from"], one["to"] = one.pop("before"), one.pop("after")
        return told


def stages(playbook: Playbook, directory: Path, as_of: float, scores: ScoreModels | None = None) -> Stages:
    """Read them from the history; nothing at or after `as_of` is seen.

    Raises:
        NotEnoughData: the history has no customer before this moment.
    """
    until = datetime.fromtimestamp(as_of, UTC)
    parts, changes = [], []
    for _, touchpoints in history.each_bucket(directory):
        events = touchpoints.filter(pl.col("occurred_at") < until).collect()
        known = events.filter(pl.col("type").is_in(list(playbook.schema.types)))
        if len(known):
            parts.append(_standing(playbook, events, known, until, scores))
        changes.append(_changes(events))
    if not parts:
        raise NotEnoughData(
            "the history has no touchpoint of a customer before this moment", {"customers": 0}
        )
    stage, odds = (np.concatenate([part[i] for part in parts]) for i in range(2))
    moved = pl.concat(changes)
    lengths = _stays(moved, as_of)
    names = [s.name for s in playbook.spec.stages]
    return Stages(
        playbook=playbook.version,
        as_of=as_of,
        customers=len(stage),
        unknown=int(np.isnan(stage).sum()),
        stages=tuple(_one(name, stage == i, odds, lengths) for i, name in enumerate(names)),
        transitions=_transitions(moved),
    )


def _standing(
    playbook: Playbook, events: pl.DataFrame, known: pl.DataFrame, until: datetime, scores: ScoreModels | None
) -> tuple[Floats, Floats]:
    """(n,) stages and (n, 2) odds to move on and to fall back."""
    schema = playbook.schema
    moments = known.select(pl.col("customer_id").unique().sort()).with_columns(
        pl.lit(until).cast(pl.Datetime("us", "UTC")).alias("at")
    )
    X = feature_rows(playbook, events, moments)
    if scores is not None:
        X[:, [schema.index[name] for name in scores.names]] = scores.scores(X)
    stage = stage_of(playbook.stage_rules, X)
    if scores is None or NEXT_STAGE not in scores.models:
        return stage, np.full((len(X), 2), np.nan)
    return stage, moves(stage, scores.next_stage(X))


def _changes(events: pl.DataFrame) -> pl.DataFrame:
    """The changes of stage that the server noticed; what somebody else reports under this type is none."""
    rows = events.filter(pl.col("type") == CHANGED, pl.col("event_id").str.starts_with("stage."))
    told = [orjson.loads(text) for text in rows["properties"].fill_null("{}")]
    at = (rows["occurred_at"].dt.epoch("us") / 1e6).to_list()
    found = [
        (customer, t["from"], t["to"], t["since"], moment)
        for customer, t, moment in zip(rows["customer_id"].to_list(), told, at, strict=True)
        if t.keys() >= {"from", "to", "since"}
    ]
    return pl.DataFrame(found, schema=_CHANGES, orient="row")


def _stays(moved: pl.DataFrame, as_of: float) -> Mapping[str, tuple[Floats, NDArray[np.bool_]]]:
    """Stage → how long stays in it were, or are so far, and which are over."""
    over = moved.select(stage="from", length=pl.col("at") - pl.col("since"), over=pl.lit(True))
    last = moved.sort("at").unique("customer_id", keep="last")
    going_on = last.select(stage="to", length=as_of - pl.col("at"), over=pl.lit(False))
    both = pl.concat([over, going_on]).sort("stage")
    return {
        str(name): (part["length"].to_numpy(), part["over"].to_numpy())
        for (name,), part in both.partition_by("stage", as_dict=True).items()
    }


def _one(
    name: str,
    inside: NDArray[np.bool_],
    odds: Floats,
    stays: Mapping[str, tuple[Floats, NDArray[np.bool_]]],
) -> Standing:
    lengths, over = stays.get(name, (np.empty(0), np.empty(0, dtype=np.bool_)))
    known = odds[inside & ~np.isnan(odds).any(axis=1)]
    means = known.mean(axis=0).tolist() if len(known) else (None, None)
    return Standing(
        stage=name,
        customers=int(inside.sum()),
        share=float(inside.mean()),
        over=int(over.sum()),
        going_on=int((~over).sum()),
        dwell_seconds=tuple(quantiles(lengths, over)),
        move_on=means[0],
        fall_back=means[1],
    )


def _transitions(moved: pl.DataFrame) -> tuple[Transition, ...]:
    """The most frequent first."""
    counted = (
        moved.group_by("from", "to")
        .agg(
            pl.len().alias("count"),
            pl.col("customer_id").n_unique().alias("customers"),
            (pl.col("at") - pl.col("since")).median().alias("median"),
        )
        .sort("count", "from", "to", descending=[True, False, False])
    )
    return tuple(
        Transition(
            before=row["from"],
            after=row["to"],
            count=row["count"],
            customers=row["customers"],
            median_seconds=row["median"],
        )
        for row in counted.to_dicts()
    )
