"""Many metrics or variants at once: p values and intervals corrected for how many were looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.ab.effect import Difference, check_level
from experiments.ab.moments import finite
from nba.errors import InvalidInput

Correction = Literal["holm", "bh", "none"]


def adjusted(p_values: ArrayLike, method: Correction = "holm") -> NDArray[np.float64]:
    """(m,) p values to hold against α as if each were alone.

    `holm` keeps the chance of any false alarm at α, whatever depends on what (Holm 1979); `bh` keeps the
    expected share of false ones among the alarms at α, if p values don't depend on each other negatively
    (Benjamini & Hochberg 1995); `none` leaves them.

    Raises:
        InvalidInput: a p value outside 0 to 1, or no such method.
    """
    p = finite("p_values", p_values)
    if len(p) and (p.min() < 0 or p.max() > 1):
        raise InvalidInput.of("p_values", "must lie between 0 and 1")
    _check_method(method)
    if method == "none" or not len(p):
        return p.copy()
    order, m = np.argsort(p, kind="stable"), len(p)
    rank = np.arange(1, m + 1)
    if method == "holm":
        stepped = np.maximum.accumulate(p[order] * (m - rank + 1))
    else:
        stepped = np.minimum.accumulate((p[order] * m / rank)[::-1])[::-1]
    found = np.empty(m)
    found[order] = np.minimum(stepped, 1.0)
    return found


def level_for(p_values: ArrayLike, method: Correction = "holm", level: float = 0.95) -> float:
    """The level at which each of (m,) intervals is made, so that together they match the correction.

    For `holm` Bonferroni's, 1 − α/m: all hold at once, and since Holm rejects a little more, an interval can
    hold 0 although its adjusted p value is below α. For `bh` 1 − Rα/m with R the rejected (at least 1): of
    the intervals of the rejected, a share of α misses on average (Benjamini & Yekutieli 2005).
    """
    alpha, m = 1 - check_level(level), len(finite("p_values", p_values))
    passed = adjusted(p_values, method) <= alpha  # checks the method too
    if m == 0 or method == "none":
        return level
    if method == "bh":
        return 1 - alpha * max(int(passed.sum()), 1) / m
    return 1 - alpha / m


def intervals_for(
    differences: Sequence[Difference], method: Correction = "holm", level: float = 0.95
) -> tuple[Difference, ...]:
    """The same differences with intervals at `level_for` their p values; p values stay as they were.

    Each test widens its own interval, whether fixed, always valid or planned.

    Raises:
        InvalidInput: method, level, or a difference that no test of this package made.
    """
    wider = level_for([found.p_value for found in differences], method, level)
    return tuple(found.at(wider) for found in differences)


def _check_method(method: str) -> None:
    if method not in ("holm", "bh", "none"):
        raise InvalidInput.of("method", f"is holm, bh or none, but was {method!r}")
