"""Cookie Cats: one public experiment whose split is doubtful, and what each test says of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.ab import Difference, Moments, always_valid, difference, sequential_srm, srm
from experiments.ab.sample_ratio import log_e_value

FILE = Path("cookie-cats-ab") / "cookie_cats.parquet"
CONTROL, TREATMENT = "gate_30", "gate_40"
WARNS_BELOW = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookies:
    """What the split and the two metrics say.

    Attributes:
        counts: players of control and treatment, meant to be as many.
        at_end: Pearson's p value, looked at once.
        sequential: the always-valid p value at the end.
        least_sequential: its least over all players, in the file's order (by player's number).
        best_possible: what an always-valid test would say that had known the share seen beforehand: the
            likelihood ratio. No mixture over shares falls below it.
        metrics: metric → (looked at once, always valid), treatment − control.
    """

    counts: tuple[int, int]
    at_end: float
    sequential: float
    least_sequential: float
    best_possible: float
    metrics: dict[str, tuple[Difference, Difference]]

    @property
    def warns(self) -> bool:
        return self.at_end < WARNS_BELOW


def cookies(folder: Path) -> Cookies:
    """Read and test."""
    table = pl.read_parquet(folder / FILE)
    treated = (table["test_version"] == TREATMENT).to_numpy()
    entered = np.cumsum(np.column_stack([~treated, treated]), axis=0).astype(np.float64)
    counts, half = entered[-1], np.array([0.5, 0.5])
    path = log_e_value(entered, half)
    expected = counts.sum() / 2
    return Cookies(
        counts=(int(counts[0]), int(counts[1])),
        at_end=srm(counts, half),
        sequential=sequential_srm(counts, half),
        least_sequential=float(np.exp(-max(path.max(), 0.0))),
        best_possible=float(np.exp(-(counts * np.log(counts / expected)).sum())),
        metrics={name: _metric(table[name].to_numpy(), treated) for name in ("retention_1", "retention_7")},
    )


def _metric(values: NDArray[np.bool_], treated: NDArray[np.bool_]) -> tuple[Difference, Difference]:
    arms = Moments.of(values[~treated]), Moments.of(values[treated])
    return difference(*arms), always_valid(*arms)
