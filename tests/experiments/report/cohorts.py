"""Cohorts of arrays, as if read from a store: one customer a minute, on the variants by chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.report.experiment import Analysed, Cohort, Values, analyse
from nba.playbook.experiment import Experiment

MINUTE, DAY = 60.0, 86_400.0


def declared(**fields: Any) -> Experiment:
    """An experiment with a window of a day; variants a (control) and b unless told otherwise."""
    return Experiment.model_validate(
        {"name": "trial", "window": "1d", "before": "7d", "variants": {"a": {}, "b": {}}, **fields}
    )


def cohort(
    n: int,
    seed: int,
    *,
    experiment: Experiment | None = None,
    effect: Mapping[int, float] | float = 0.0,
    rho: float = 0.0,
    mean: float = 10.0,
    skewed: bool = False,
    mature: int | None = None,
    values: Mapping[str, Values] | None = None,
    **more: Any,
) -> Cohort:
    """n customers whose net has spread 1 (or is as skewed as an exponential) about `mean`.

    Args:
        effect: on net, of variant 1, or by variant.
        rho: how closely net goes with net from before.
        mature: how many are; all by default.
    """
    known = experiment or declared()
    rng = np.random.default_rng(seed)
    weights = np.array([variant.weight for variant in known.variants.values()])
    variant = rng.choice(len(weights), size=n, p=weights / weights.sum())
    before = _noise(rng, n, skewed)
    noise = rho * before + np.sqrt(1 - rho**2) * _noise(rng, n, skewed)
    by_variant = effect if isinstance(effect, Mapping) else {1: effect}
    gain = np.array([by_variant.get(place, 0.0) for place in range(len(weights))])
    own = {"net": Values(of=mean + noise + gain[variant], before=mean + before), **(values or {})}
    entered = MINUTE * np.arange(n, dtype=np.float64)
    last = entered[(n if mature is None else mature) - 1] if mature != 0 else -MINUTE
    segments = {name: rng.random(n) < 0.5 for name in known.segments}
    fields: dict[str, Any] = {
        "as_of": float(last) + known.window,
        "values": {name: own[name] for name in known.metrics},
        "segments": segments,
        **more,
    }
    return Cohort(experiment=known, variant=variant.astype(np.int64), entered_at=entered, **fields)


def analysed(n: int, seed: int, **options: Any) -> Analysed:
    return analyse(cohort(n, seed, **options))


def _noise(rng: np.random.Generator, n: int, skewed: bool) -> np.ndarray[Any, np.dtype[np.float64]]:
    return rng.exponential(size=n) - 1 if skewed else rng.standard_normal(n)
