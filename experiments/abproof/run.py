"""All proofs in one go: sizes and seeds are fixed here, so that the tables can be printed again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from experiments.abproof.alike import METRICS, Alarms, SplitAlarms, metric_alarms, split_alarms
from experiments.abproof.asos import FOLDER, Asos, asos
from experiments.abproof.cookies import FILE, Cookies, cookies
from experiments.abproof.cuped import CORRELATIONS, Shrinkage, shrinkage
from experiments.abproof.peeking import Design, Rate, Row, table

TUNINGS = (5_000.0, 10_000.0, 20_000.0)
_SPLITS = (  # weights, customers, step
    ((1.0, 1.0), 20_000, 1),
    ((1.0, 1.0), 200_000, 20),
    ((7.0, 2.0, 1.0), 20_000, 1),
)
_PER_ARM = 10_000
_MORE = 10  # runs of the table of methods, which are cheap, for each run of the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The tables. `cookies` and `asos` hold the path that is missing where there is no such data."""

    runs: int
    design: Design
    methods: list[Row]
    tunings: dict[float, tuple[Rate, Rate]]
    alike: list[Alarms]
    splits: list[SplitAlarms]
    cuped: list[Shrinkage]
    cookies: Cookies | Path
    asos: Asos | Path


def prove(runs: int, data: Path, tell: Callable[[str], None]) -> Proof:
    """Simulate `runs` experiments a cell (ten times as many for the methods), and read the public ones."""
    design = Design()
    tell("methods")
    methods = table(design, _MORE * runs, seed=1)
    tunings = {tuning: _always_valid(tuning, runs) for tuning in TUNINGS}
    found = []
    for seed, metric in enumerate(METRICS, start=10):
        tell(f"no difference: {metric}")
        found.append(metric_alarms(metric, runs, _PER_ARM, seed))
    splits = []
    for seed, (weights, customers, step) in enumerate(_SPLITS, start=20):
        tell(f"sound splits: {' : '.join(f'{w:g}' for w in weights)}")
        splits.append(split_alarms(weights, runs, customers, seed, step))
    tell("figures from before")
    shrunk = [shrinkage(rho, runs, 1_000, seed) for seed, rho in enumerate(CORRELATIONS, start=30)]
    tell("public experiments")
    return Proof(
        runs=runs,
        design=design,
        methods=methods,
        tunings=tunings,
        alike=found,
        splits=splits,
        cuped=shrunk,
        cookies=cookies(data) if (data / FILE).exists() else data / FILE,
        asos=asos(data) if (data / FOLDER).is_dir() else data / FOLDER,
    )


def _always_valid(tuning: float, runs: int) -> tuple[Rate, Rate]:
    """False alarms and power with this tuning."""
    row = next(r for r in table(Design(tuning=tuning), _MORE * runs, seed=1) if r.method.startswith("always"))
    return row.false_alarms, row.power
