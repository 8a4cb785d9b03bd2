"""Measures of the offline feature table: how fast, and how its memory grows.

The world measured: 12 types, 5 channels, 20 actions, two exact windows, which is some 200 features; 20
touchpoints and 4 moments a customer, over a year. `scale` shrinks the world, not what is asked of it.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from nba.features import history, offline
from nba.playbook.declaration import HALF_LIVES, FeatureSchema, declare
from nba.playbook.schema import PlaybookSpec

Measure = dict[str, str | float]
_MILLION = 1_000_000
_YEAR = 365 * 86_400_000_000
_START = 1_700_000_000_000_000
_PER_CUSTOMER, _MOMENTS = 20, 4


def features_offline(scale: float = 1.0) -> Measure:
    """Touchpoints a second into features, on all cores that Polars was given, history in memory.

    The baseline is the group-by that one would write first: every moment joined to the touchpoints before
    it, then a filtered sum for each decayed counter (and for these only), on a tenth of the customers.
    """
    n = max(int(_MILLION * scale), 2_000)
    schema = _schema()
    rate = _rate(n, lambda touchpoints, moments: offline.table(touchpoints, moments, schema))
    plain = _rate(n // 10, lambda touchpoints, moments: _group_by(touchpoints, moments, schema))
    return _measure("features.offline", rate, "touchpoints/s", plain)


def features_memory(scale: float = 1.0) -> Measure:
    """Peak memory growth of `offline.tables` over ten million touchpoints on disk, in MiB.

    The growth is that of a new process from just after its imports and the moments' arrival; each frame
    is dropped once it is made. The baseline is the growth over one million: below 10 is sub-linear.
    """
    small, large = (_peak_growth(max(int(size * scale), 2_000)) for size in (_MILLION, 10 * _MILLION))
    return _measure("features.memory", large, "MiB", small)


def _measure(name: str, value: float, unit: str, baseline: float) -> Measure:
    return {"name": name, "value": value, "unit": unit, "baseline": baseline, "ratio": value / baseline}


def _rate(n: int, compute: Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]) -> float:
    """The better of two runs: the first also pays for the memory's first touch."""
    touchpoints, moments = _touchpoints(n, n), _moments(n)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        compute(touchpoints, moments)
        seconds.append(time.perf_counter() - start)
    return n / min(seconds)


def _peak_growth(n: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        for part, start in enumerate(range(0, n, _MILLION)):
            rows = _touchpoints(min(_MILLION, n - start), n, seed=part)
            rows = rows.with_columns(event_id=pl.lit(None), properties=pl.lit(None))
            history.append(Path(folder), rows, f"part-{part}")
        with multiprocessing.get_context("spawn").Pool(1) as fresh:
            return fresh.apply(_growth, (folder, n))


def _growth(folder: str, n: int) -> float:
    """MiB by which this process grows while it makes all tables, beyond what it held before."""
    moments, schema = _moments(n), _schema()
    before = _memory("VmRSS")
    made = sum(len(table) for table in offline.tables(Path(folder), moments, schema))
    if made != len(moments):
        raise RuntimeError(f"{made} rows were made of {len(moments)} moments")
    return _memory("VmHWM") - before


def _memory(field: str) -> float:
    """MiB, from the kernel's account of this process; its peak (VmHWM) begins anew with each program."""
    status = Path(f"/proc/{os.getpid()}/status").read_text()
    return next(float(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(field))


def _group_by(touchpoints: pl.DataFrame, moments: pl.DataFrame, schema: FeatureSchema) -> pl.DataFrame:
    """The baseline: all decayed counters from all pairs of a moment and an earlier touchpoint."""
    pairs = moments.lazy().with_row_index().join(touchpoints.lazy(), on="customer_id")
    pairs = pairs.filter(pl.col("occurred_at") < pl.col("at"))
    days = (pl.col("at") - pl.col("occurred_at")).dt.total_microseconds() / 86_400e6
    pairs = pairs.with_columns((-days * np.log(2) / h).exp().alias(f"{h}") for h in HALF_LIVES)
    mine = [pl.col("type") == t for t in schema.types] + [pl.col("channel") == c for c in schema.channels]
    sums = [
        (pl.col(f"{h}") * amount).filter(which).sum().alias(f"{i}_{j}_{h}")
        for i, which in enumerate(mine)
        for j, amount in enumerate((pl.lit(1.0), pl.col("value")))
        for h in HALF_LIVES
    ]
    counted = pairs.group_by("index").agg(sums)
    return moments.lazy().with_row_index().join(counted, on="index", how="left").collect()


def _schema() -> FeatureSchema:
    spec = PlaybookSpec.model_validate(
        {
            "name": "bench",
            "currency": "EUR",
            "touchpoints": ["purchase", *(f"type_{i}" for i in range(10))],
            "objectives": {"window": "7d", "outcomes": {"purchase": {"value": "amount"}}},
            "stages": [{"name": "any", "when": "true"}],
            "channels": {f"channel-{i}": {} for i in range(5)},
            "timings": {"now": {}},
            "actions": {f"a-{i}": {"channels": ["channel-0"], "timings": ["now"]} for i in range(20)},
        }
    )
    return declare(spec, ["purchase_count_30d", "purchase_value_30d"])


def _touchpoints(n: int, total: int, seed: int = 0) -> pl.DataFrame:
    """n of `total` touchpoints, of customers that are the same for one total."""
    random, schema = np.random.default_rng(seed), _schema()
    kind = pl.Series(random.integers(0, len(schema.types), n))
    channel = pl.Series(random.integers(0, len(schema.channels), n))
    return pl.DataFrame(
        {
            "customer_id": _customers(random.integers(0, total // _PER_CUSTOMER, n)),
            "type": pl.Series(schema.types).gather(kind),
            "channel": pl.Series(schema.channels).gather(channel),
            "action": pl.Series([None], dtype=pl.String).new_from_index(0, n),
            "occurred_at": _times(random.integers(_START, _START + _YEAR, n)),
            "value": pl.Series(random.gamma(2.0, 10.0, n)),
        }
    )


def _moments(total: int) -> pl.DataFrame:
    """Four moments of every customer."""
    random, customers = np.random.default_rng(-total % 2**32), total // _PER_CUSTOMER
    at = random.integers(_START, _START + _YEAR, customers * _MOMENTS)
    return pl.DataFrame({"customer_id": _customers(np.arange(len(at)) % customers), "at": _times(at)})


def _customers(numbers: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pl.Series:
    return pl.select(pl.format("customer-{}", pl.Series(numbers))).to_series()


def _times(micros: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pl.Series:
    return pl.Series(micros).cast(pl.Datetime("us", "UTC"))
