"""Measure what the experiments cost. Each function returns one line of `nba bench`, both sides timed here."""

from __future__ import annotations

from statistics import median
from time import perf_counter

import numpy as np

from experiments.ope import LoggedBatch, diagnostics, estimate
from experiments.ope.batch import Floats

ROUNDS, ARMS, RESAMPLES = 100_000, 10, 1_000
SEVEN = ("ips", "snips", "dm", "dr", "sndr", "switch-dr", "dr-os")


def ope() -> dict[str, str | float]:
    """Seven estimators with intervals and diagnostics against one bootstrap interval of IPS; seconds.

    The baseline is what Open Bandit Pipeline runs for each estimator: the mean of n rows drawn with
    replacement, 1,000 times. Ours includes the checks of the batch; the median of five runs against one.
    """
    rng = np.random.default_rng(0)
    logging = rng.dirichlet(np.ones(ARMS), ROUNDS) * 0.9 + 0.1 / ARMS
    target = rng.dirichlet(np.ones(ARMS), ROUNDS)
    q_hat = rng.random((ROUNDS, ARMS))
    arm = (logging.cumsum(axis=1) > rng.random((ROUNDS, 1))).argmax(axis=1)
    rows = np.arange(ROUNDS)
    reward = (rng.random(ROUNDS) < q_hat[rows, arm]).astype(np.float64)
    propensity = logging[rows, arm]
    ours = median(_seven(reward, arm, propensity, target, q_hat) for _ in range(5))
    baseline = _bootstrap(target[rows, arm] / propensity * reward)
    return {"name": "ope", "value": ours, "unit": "s", "baseline": baseline, "ratio": baseline / ours}


def _seven(
    reward: Floats,
    arm: np.ndarray[tuple[int], np.dtype[np.int64]],
    propensity: Floats,
    target: Floats,
    q_hat: Floats,
) -> float:
    start = perf_counter()
    batch = LoggedBatch(reward=reward, arm=arm, propensity=propensity, target=target, q_hat=q_hat)
    for name in SEVEN:
        estimate(name, batch)
    diagnostics(batch)
    return perf_counter() - start


def _bootstrap(rows: Floats) -> float:
    rng = np.random.RandomState(12345)
    start = perf_counter()
    means = [np.mean(rng.choice(rows, size=len(rows))) for _ in range(RESAMPLES)]
    np.percentile(means, [2.5, 97.5])
    return perf_counter() - start
