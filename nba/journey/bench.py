"""The measure of mapping journeys: touchpoints a second into the directly-follows graph.

The world measured: a million touchpoints of 100,000 customers in 20 steps, in memory, in no order.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from nba.journey.events import Events
from nba.journey.map import Asked, draw_map
from nba.journey.transitions import edges

_TOUCHPOINTS, _PER_CUSTOMER, _STEPS = 1_000_000, 10, 20
_START, _YEAR = 1_700_000_000_000_000, 365 * 86_400_000_000


def journey_map(touchpoints: int = _TOUCHPOINTS) -> dict[str, str | float]:
    """Touchpoints a second into counts and median times of all transitions, from an unsorted table.

    The baseline is the same with pandas: a stable sort, groupby and shift, a groupby of the pairs. Both are
    the better of two runs. `map_seconds` is a whole map: steps, variants, funnel and pain points too.
    """
    frame = _frame(touchpoints)
    ours = _seconds(lambda: edges(Events.of(frame)))
    table = frame.to_pandas()
    theirs = _seconds(lambda: _pandas(table))
    asked = Asked(goal="step 19", start="step 0", end="step 19")
    return {
        "name": "journey.map",
        "value": touchpoints / ours,
        "unit": "touchpoints/s",
        "baseline": touchpoints / theirs,
        "ratio": theirs / ours,
        "map_seconds": _seconds(lambda: draw_map(Events.of(frame), asked)),
    }


def _seconds(run: Callable[[], object]) -> float:
    taken = []
    for _ in range(2):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


def _frame(n: int) -> pl.DataFrame:
    random = np.random.default_rng(0)
    names = pl.Series([f"step {i}" for i in range(_STEPS)])
    return pl.DataFrame(
        {
            "case": _customers(random.integers(0, n // _PER_CUSTOMER, n)),
            "step": names.gather(pl.Series(random.integers(0, _STEPS, n))),
            "time": pl.Series(random.integers(_START, _START + _YEAR, n)).cast(pl.Datetime("us", "UTC")),
        }
    )


def _customers(numbers: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pl.Series:
    return pl.select(pl.format("customer-{}", pl.Series(numbers))).to_series()


def _pandas(table: Any) -> Any:
    rows = table.sort_values(["case", "time"], kind="stable")
    cases = rows.groupby("case", sort=False)
    pairs = rows.assign(to=cases["step"].shift(-1), gap=cases["time"].shift(-1) - rows["time"]).dropna()
    return pairs.groupby(["step", "to"])["gap"].agg(["size", "median"])
