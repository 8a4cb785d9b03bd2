"""A/A: two arms that don't differ, looked at after every customer, for metrics kind and unkind.

What is reported is the share of runs that ever raise an alarm. Sums are cumulative, so every look is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from experiments.ab.anytime import TUNING, bound, mixing
from experiments.ab.sample_ratio import log_e_value
from experiments.ab.spending import group_sequential

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]

FIRST = 100  # customers an arm, before which nobody looks: means aren't normal yet
_AT_ONCE = 50  # runs, to bound memory


def _spend(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return np.where(rng.random(shape) < 0.01, rng.lognormal(3.0, 1.0, shape), 0.0)


METRICS: Mapping[str, Draw] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "share of 10 %": lambda rng, shape: (rng.random(shape) < 0.1).astype(np.float64),
    "share of 1 %": lambda rng, shape: (rng.random(shape) < 0.01).astype(np.float64),
    "spend of 1 %": _spend,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """Shares of runs that ever raise one.

    Attributes:
        peeked: a plain test, after every pair of customers.
        always_valid: the same, at the same looks.
        group_sequential: at five planned looks.
    """

    metric: str
    peeked: float
    always_valid: float
    group_sequential: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitAlarms:
    """Shares of runs with sound splits that ever raise an alarm, looked at after every step of customers."""

    weights: tuple[float, ...]
    customers: int
    step: int
    pearson_peeked: float
    sequential: float
    sequential_001: float


def metric_alarms(
    metric: str, runs: int, per_arm: int, seed: int, alpha: float = 0.05, tuning: float = TUNING
) -> Alarms:
    """After every pair of customers from FIRST an arm to `per_arm`."""
    n = np.arange(FIRST, per_arm + 1)
    once = float(group_sequential(1, alpha)[0])
    anytime = bound(2 * n * mixing(tuning, alpha), alpha)
    planned = np.round(per_arm * np.arange(1, 6) / 5).astype(int)
    bounds = group_sequential(5, alpha)
    rng, hits = np.random.default_rng(seed), np.zeros(3)
    for start in range(0, runs, _AT_ONCE):
        z = np.abs(_statistics(METRICS[metric], rng, min(_AT_ONCE, runs - start), per_arm))
        hits += [
            (z >= once).any(axis=1).sum(),
            (z >= anytime).any(axis=1).sum(),
            (z[:, planned - FIRST] >= bounds).any(axis=1).sum(),
        ]
    peeked, always, group = (hits / runs).tolist()
    return Alarms(metric=metric, peeked=peeked, always_valid=always, group_sequential=group)


def split_alarms(
    weights: tuple[float, ...],
    runs: int,
    customers: int,
    seed: int,
    step: int = 1,
) -> SplitAlarms:
    """After every `step` customers; Pearson's test from 100 customers on."""
    shares = np.array(weights) / sum(weights)
    rng, hits = np.random.default_rng(seed), np.zeros(3)
    for start in range(0, runs, _AT_ONCE):
        shape = (min(_AT_ONCE, runs - start), customers // step)
        counts = np.cumsum(rng.multinomial(step, shares, shape), axis=1).astype(np.float64)
        expected = counts.sum(axis=2, keepdims=True) * shares
        pearson = ((counts - expected) ** 2 / expected).sum(axis=2)[:, max(100 // step - 1, 0) :]
        most = log_e_value(counts, shares).max(axis=1)
        hits += [
            (chdtrc(len(shares) - 1, pearson.max(axis=1)) < 0.05).sum(),
            (most > np.log(1 / 0.05)).sum(),
            (most > np.log(1 / 0.001)).sum(),
        ]
    peeked, at_05, at_001 = (hits / runs).tolist()
    return SplitAlarms(
        weights=weights,
        customers=customers,
        step=step,
        pearson_peeked=peeked,
        sequential=at_05,
        sequential_001=at_001,
    )


def _statistics(draw: Draw, rng: np.random.Generator, runs: int, per_arm: int) -> Floats:
    """(runs, per_arm − FIRST + 1) of z after each pair of customers; 0 while all values are the same."""
    values = draw(rng, (2, runs, per_arm))
    n = np.arange(FIRST, per_arm + 1)
    totals = values.cumsum(axis=2)[:, :, FIRST - 1 :]
    squares = (values * values).cumsum(axis=2)[:, :, FIRST - 1 :]
    variance = ((squares - totals**2 / n) / (n - 1) / n).sum(axis=0)
    z: Floats = (totals[1] - totals[0]) / n / np.sqrt(np.where(variance > 1e-15, variance, np.inf))
    return z
