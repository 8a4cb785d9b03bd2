"""Clopper and Pearson's binomial interval for weighted rewards: m/W trials of which Σwr/W succeed.

W is the largest weight seen, so one heavy row widens it as if all weighed as much. Rough, and here for
comparison. Clopper & Pearson (1934); for weighted rewards VowpalWabbit/estimators.
"""

from __future__ import annotations

from scipy.special import betaincinv

from experiments.ope.batch import Floats


def clopper_pearson(
    weight: Floats, rewarded: Floats, level: float, *, bounds: tuple[float, float]
) -> tuple[float, float]:
    """Both ends. weight, rewarded: (units,) customers' mean weight and mean weighted reward; bounds: the
    range of a reward."""
    low, high = bounds
    largest = float(weight.max())
    trials = len(weight) / largest
    hits = float((rewarded - low * weight).sum()) / (high - low) / largest
    ends = binomial(hits, trials, level)
    return low + (high - low) * ends[0], low + (high - low) * ends[1]


def binomial(hits: float, trials: float, level: float) -> tuple[float, float]:
    """Both ends for a share of which `hits` of `trials` were seen; neither need be whole."""
    tail = (1 - level) / 2
    least = float(betaincinv(hits, trials - hits + 1, tail)) if hits > 0 else 0.0
    most = float(betaincinv(hits + 1, trials - hits, 1 - tail)) if hits < trials else 1.0
    return least, most
