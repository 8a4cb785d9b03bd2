"""Logs whose rewards are all known by now, for the backtest: the built-in world's, and Starbucks' waves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.simulate import NO_CONTACT, PLAYBOOK, World, day_start, draw, history
from nba.playbook.compile import load
from training.cases.starbucks import decision_log, load_history, playbook
from training.rewards.backtest import PastLog

Ints = NDArray[np.int64]
HOUR, DAY = 3_600.0, 86_400.0
WEEK = 7
_WARM = 30  # days of history before the first decision


def world_log(
    *,
    customers: int = 4_000,
    days: int = 70,
    seed: int = 1,
    contacts: Callable[[int], float] = lambda day: 0.5,
) -> PastLog:
    """Customers of the built-in world, each decided for once a week on a day of their own.

    Args:
        contacts: by day, the probability of a contact, which is then any eligible arm alike.
    """
    world = World.create(seed, customers)
    state = history(world, _WARM, seed).state
    chance, everybody = np.random.default_rng([seed, 1]), np.arange(customers)
    frames, decided = [], []
    for day in range(days):
        eligible = world.eligible(state)
        due = everybody % WEEK == day % WEEK
        arm = np.where(due, _some_arm(eligible, contacts(day), chance), NO_CONTACT)
        state, response = world.step(state, day, arm, seed)
        frames.append(response.touchpoints())
        decided.append((everybody[due], np.full(int(due.sum()), day_start(day)), arm[due]))
    customer, decided_at, arms = (np.concatenate(column) for column in zip(*decided, strict=True))
    told = pl.concat(frames).select(
        customer=pl.col("customer_id").str.slice(2).cast(pl.Int64),
        type="type",
        occurred_at=pl.col("occurred_at").dt.epoch("us") / 1e6,
        value="value",
    )
    return PastLog(
        objectives=load(PLAYBOOK).spec.objectives,
        customer=customer,
        decided_at=decided_at,
        cost=world.commerce.cost[arms],
        action=np.array([it.action for it in world.arms])[arms],
        touchpoints=told,
        known_until=day_start(days),
    )


def world_moments(days: int = 70) -> list[float]:
    """Every third day at six in the evening, from the third week on, as long as the truth is known."""
    return [day_start(day) + 6 * HOUR for day in range(3 * WEEK, days - WEEK - 1, 3)]


def starbucks_log(data: Path) -> PastLog:
    """The six waves of offers, of which the last one's window is not over: the playbook's clock of 7 days.

    Raises:
        InvalidInput: a file of the data set is missing or not as published.
    """
    book = playbook()
    with TemporaryDirectory() as scratch:
        table = load_history(data, Path(scratch) / "history")
    log = decision_log(book, table)
    codes = table.filter(pl.col("type") == "profile").select("customer_id").unique().sort("customer_id")
    told = table.join(codes.with_row_index("customer"), on="customer_id").select(
        pl.col("customer").cast(pl.Int64),
        "type",
        occurred_at=pl.col("occurred_at").dt.epoch("us") / 1e6,
        value="value",
    )
    names = [name.split("/")[0] for name in book.arms.names]
    return PastLog(
        objectives=book.spec.objectives,
        customer=log.customer,
        decided_at=log.decided_at,
        cost=np.zeros(len(log)),
        action=np.array(names)[log.arm],
        touchpoints=told,
        known_until=float(log.decided_at.min()) + 715 * HOUR,  # the last hour with events is 714
    )


def starbucks_moments(log: PastLog) -> list[float]:
    """Every day at noon, from the second wave's first day on, as long as the truth is known."""
    start = float(log.decided_at.min())
    return [start + hours * HOUR for hours in range(180, 715 - 7 * 24, 24)]


def _some_arm(eligible: NDArray[np.bool_], contact: float, chance: np.random.Generator) -> Ints:
    """(n,) silence, or with probability `contact` any eligible contact alike."""
    odds = eligible.astype(np.float64)
    odds[:, NO_CONTACT] = 0.0
    some = odds.sum(axis=1, keepdims=True)
    odds *= contact / np.where(some > 0, some, 1.0)
    odds[:, NO_CONTACT] = 1 - odds.sum(axis=1)
    return draw(odds, eligible, chance.random(len(eligible)))
