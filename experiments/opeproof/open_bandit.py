"""Open Bandit (men): two policies ran at once; what one's log says of the other is held against what it did.

Uniform random → Thompson sampling (bts), and back. Rewards are clicks, about 50 to 70 in 10,000. The position
of an item on the page is drawn for, so it is part of the context and enters the propensity.

    random → bts   bts moved its odds as it learned, and the log has those of shown items alone. What is
                   valued is bts over the week: π(item | position) by how often bts showed it there
    bts → random   1/34 everywhere, over the logged propensities of bts: exact

Beside the whole, single positions, and the items that bts liked most as policies of their own, held against
what they earned where the other policy showed them: a third to a thirtieth of the clicks, and some refused.
Saito, Aihara, Matsutani & Narita (2021).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from experiments.bakeoff.tasks import data_folder
from experiments.ope import (
    Diagnostics,
    Estimate,
    LoggedBatch,
    Trust,
    cross_fitted,
    diagnostics,
    estimate,
    trust,
)
from experiments.ope.batch import Floats, Ints
from experiments.ope.fitted import ridge
from nba.errors import InvalidInput, NotEnoughData

FOLDER = "open-bandit"
ESTIMATORS = ("ips", "snips", "dr", "sndr")
LEVEL = 0.95
_TWO = 2  # items that are shown alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question to one log.

    Attributes:
        clicks: rewards of 1 in the log.
        truth: what the target earned where it ran, with its interval; why not, where too little.
        found: by estimator.
    """

    name: str
    rows: int
    clicks: int
    truth: Estimate | NotEnoughData
    found: dict[str, Estimate | NotEnoughData]
    overlap: Diagnostics
    trust: Trust


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Feedback:
    """One policy's log: item (n,), position (n,) from 0, click (n,), propensity (n,), user columns (n, d)."""

    item: Ints
    position: Ints
    click: Floats
    propensity: Floats
    columns: Floats

    def where(self, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Feedback:
        return Feedback(
            item=self.item[rows],
            position=self.position[rows],
            click=self.click[rows],
            propensity=self.propensity[rows],
            columns=self.columns[rows],
        )


def cases(folder: Path | None = None) -> tuple[Case, ...]:
    """All of them.

    Raises:
        InvalidInput: the set is not there.
    """
    place = (data_folder() if folder is None else folder) / FOLDER
    logs = {name: read(place / f"{name}_men.parquet") for name in ("random", "bts")}
    return tuple(_all(logs["random"], logs["bts"]))


def read(path: Path) -> Feedback:
    """One file of the set."""
    if not path.exists():
        raise InvalidInput.of("NBA_DATA_DIR", f"there is no {path}")
    frame = pl.read_parquet(path)
    users = frame.select(pl.col("^user_feature_.*$").rank("dense").cast(pl.Float64)).to_numpy()
    position = frame["position"].to_numpy().astype(np.int64) - 1
    return Feedback(
        item=frame["item_id"].to_numpy().astype(np.int64),
        position=position,
        click=frame["click"].to_numpy().astype(np.float64),
        propensity=frame["propensity_score"].to_numpy().astype(np.float64),
        columns=np.hstack([np.eye(3)[position], users]),
    )


def _all(random: Feedback, bts: Feedback) -> Iterator[Case]:
    k, by_bts = int(random.item.max()) + 1, shown(bts, int(random.item.max()) + 1)
    uniform = np.full((3, k), 1 / k)
    for name, log, target, truth in (
        ("random → bts", random, by_bts, bts),
        ("bts → random", bts, uniform, random),
    ):
        yield _case(name, log, target, truth)
        for position in range(3):
            there, ran = log.where(log.position == position), truth.where(truth.position == position)
            yield _case(f"{name}, position {position + 1}", there, target, ran)
    for item in np.argsort(-np.bincount(bts.item, minlength=k), kind="stable")[:_TWO].tolist():
        only = np.tile(np.eye(k)[item], (3, 1))
        yield _case(f"random → item {item} alone", random, only, bts.where(bts.item == item))
        yield _case(f"bts → item {item} alone", bts, only, random.where(random.item == item))


def shown(log: Feedback, k: int) -> Floats:
    """(3, k) how often each item was shown in each position; rows sum to 1."""
    counts: Floats = np.zeros((3, k))
    np.add.at(counts, (log.position, log.item), 1.0)
    counts /= counts.sum(axis=1, keepdims=True)
    return counts


def _case(name: str, log: Feedback, target: Floats, ran: Feedback) -> Case:
    batch = _batch(log, target)
    found = {e: _answer(e, batch) for e in ESTIMATORS}
    overlap = diagnostics(batch)
    return Case(
        name=name,
        rows=len(log.click),
        clicks=int(log.click.sum()),
        truth=_on_policy(ran),
        found=found,
        overlap=overlap,
        trust=trust(name, overlap, found),
    )


def _batch(log: Feedback, target: Floats) -> LoggedBatch:
    k = target.shape[1]
    return LoggedBatch(
        reward=log.click,
        arm=log.item,
        propensity=log.propensity,
        target=target[log.position],
        q_hat=cross_fitted(log.columns, log.item, log.click, arms=k, fit=ridge(1_000.0), folds=5),
    )


def _on_policy(ran: Feedback) -> Estimate | NotEnoughData:
    """The mean of what the target itself earned, as an estimate of one arm that is always drawn."""
    n = len(ran.click)
    ones = np.ones((n, 1))
    own = LoggedBatch(
        reward=ran.click, arm=np.zeros(n, dtype=np.int64), propensity=np.ones(n), target=ones, logging=ones
    )
    return _answer("ips", own)


def _answer(name: str, batch: LoggedBatch) -> Estimate | NotEnoughData:
    try:
        return estimate(name, batch, LEVEL)
    except NotEnoughData as error:
        return error
