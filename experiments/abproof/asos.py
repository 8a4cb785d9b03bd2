"""The public ASOS experiments, looked at as they ran: what would each way of analysing have claimed?

Liu, Cardoso, Couturier & McCoy (2021). A row of the set is one metric of one variant up to some time. The
rows are running totals: customers' figures still grow after they were first counted, which the theory of
sequential tests does not allow for; a report of ours takes a fixed window per customer instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.ab import Moments, bounds_at, difference, sequential_srm, srm
from experiments.ab.anytime import bound, mixing
from nba.errors import NotEnoughData

Floats = NDArray[np.float64]

FOLDER = "asos-experiments"
LOOKS = 20  # of the group-sequential plan
CLOSEST = 0.01  # of the plan; looks nearer to each other are one
ALPHA = 0.05
BROKEN = 0.001
_KEY = ["experiment_id", "variant_id", "metric_id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One metric of one variant against control: what each way would have claimed.

    Attributes:
        directions: way → the sign of what it claims first, at any look it allows; 0 for no claim.
        end: the sign of the plain test's claim at the end, 0 for none.
        broken: whether the variant's split fails (0.001) a 1:1 split at the end.
        snapshots, unusable: rows, and of those the ones without variance or customers.
    """

    name: str
    metric: int
    directions: dict[str, int]
    end: int
    broken: bool
    snapshots: int
    unusable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Of one way: series claimed, how many of these the plain test at the end doesn't bear out."""

    way: str
    claimed: int
    not_at_end: int
    claimed_sound: int
    not_at_end_sound: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asos:
    """The whole set.

    Attributes:
        series, sound: series that can be analysed, and those of them whose split holds.
        left_out: series without one usable snapshot.
        snapshots, unusable: rows, and those without variance or customers.
        variants, broken, broken_sequentially: variants, those whose split fails 1:1 at the end (Pearson,
            0.001), and those for which the sequential check falls below 0.001 at some snapshot.
    """

    claims: list[Claims]
    series: int
    sound: int
    left_out: int
    snapshots: int
    unusable: int
    variants: int
    broken: int
    broken_sequentially: int


def asos(folder: Path) -> Asos:
    """Read and analyse every series."""
    table = pl.read_parquet(folder / FOLDER / "*.parquet").sort([*_KEY, "time_since_start"])
    splits = {key: _split(rows) for key, rows in _grouped(table, _KEY[:2])}
    found, left_out = [], 0
    for key, rows in _grouped(table, _KEY):
        broken = splits[key[:2]][0]
        try:
            found.append(_series(key, rows, broken))
        except NotEnoughData:
            left_out += 1
    sound = [one for one in found if not one.broken]
    return Asos(
        claims=[_claims(way, found, sound) for way in found[0].directions],
        series=len(found),
        sound=len(sound),
        left_out=left_out,
        snapshots=len(table),
        unusable=len(table) - len(_usable(table)),
        variants=len(splits),
        broken=sum(at_end for at_end, _ in splits.values()),
        broken_sequentially=sum(ever for _, ever in splits.values()),
    )


def _series(key: tuple[Any, ...], rows: pl.DataFrame, broken: bool) -> Series:
    """Raises NotEnoughData where no snapshot is usable."""
    usable = _usable(rows)
    if not len(usable):
        raise NotEnoughData("no snapshot has customers and variances", {"snapshots": float(len(rows))})
    arms = [_arms(row) for row in usable.iter_rows(named=True)]
    customers = np.array([control.n + treatment.n for control, treatment in arms], dtype=np.float64)
    plain = [difference(*pair) for pair in arms]
    z = np.array([one.value / one.stderr for one in plain])
    peeked = _signs(z, np.array([one.p_value < ALPHA for one in plain]))
    looks = _planned(customers / customers[-1])
    bounds = bounds_at(list(customers[looks] / customers[-1]), ALPHA)
    directions = {
        "fixed, looked at once": int(peeked[-1]),
        "fixed, peeked at": _first(peeked),
        "always valid, tuning 5,000": _first(_always(customers, z, 5_000.0)),
        "always valid, tuning as planned": _first(_always(customers, z, float(customers[-1]))),
        f"group-sequential, {LOOKS} looks": _first(_signs(z[looks], np.abs(z[looks]) >= bounds)),
    }
    return Series(
        name="/".join(map(str, key)),
        metric=int(key[2]),
        directions=directions,
        end=int(peeked[-1]),
        broken=broken,
        snapshots=len(rows),
        unusable=len(rows) - len(usable),
    )


def _always(customers: Floats, z: Floats, tuning: float) -> Floats:
    """Where the interval of `always_valid` leaves out 0."""
    return _signs(z, np.abs(z) > bound(customers * mixing(tuning, ALPHA), ALPHA))


def _planned(shares: Floats) -> list[int]:
    """The first snapshots at or after each of LOOKS even shares of the customers."""
    looks: list[int] = []
    for share in np.arange(1, LOOKS + 1) / LOOKS:
        at = int(np.argmax(shares >= share - 1e-12))
        if not looks or shares[at] - shares[looks[-1]] >= CLOSEST:
            looks.append(at)
    if looks[-1] != len(shares) - 1:  # the end is a look, in place of one just before it
        looks[-1] = len(shares) - 1
    return looks


def _claims(way: str, found: list[Series], sound: list[Series]) -> Claims:
    def claimed(among: list[Series]) -> int:
        return sum(one.directions[way] != 0 for one in among)

    def gone(among: list[Series]) -> int:
        return sum(one.directions[way] != 0 and one.end != one.directions[way] for one in among)

    return Claims(
        way=way,
        claimed=claimed(found),
        not_at_end=gone(found),
        claimed_sound=claimed(sound),
        not_at_end_sound=gone(sound),
    )


def _split(rows: pl.DataFrame) -> tuple[bool, bool]:
    """Whether 1:1 fails at the end, and whether the sequential check ever falls below 0.001."""
    counts = rows.unique("time_since_start", maintain_order=True).select("count_c", "count_t").to_numpy()
    ever = any(sequential_srm(row, [1, 1]) < BROKEN for row in counts)
    return srm(counts[-1], [1, 1]) < BROKEN, ever


def _usable(rows: pl.DataFrame) -> pl.DataFrame:
    spread = (pl.col("variance_c") > 0) & (pl.col("variance_t") > 0)
    return rows.filter(spread & (pl.min_horizontal("count_c", "count_t") >= 2))


def _arms(row: dict[str, Any]) -> tuple[Moments, Moments]:
    return _arm(row, "c"), _arm(row, "t")


def _arm(row: dict[str, Any], side: str) -> Moments:
    n, mean, variance = int(row[f"count_{side}"]), row[f"mean_{side}"], row[f"variance_{side}"]
    return Moments(n=n, total=n * mean, squares=(n - 1) * variance + n * mean * mean)


def _signs(z: Floats, claimed: NDArray[np.bool_]) -> Floats:
    return np.where(claimed, np.sign(z), 0.0)


def _first(signs: Floats) -> int:
    there = np.flatnonzero(signs)
    return int(signs[there[0]]) if len(there) else 0


def _grouped(table: pl.DataFrame, by: list[str]) -> Iterator[tuple[tuple[Any, ...], pl.DataFrame]]:
    yield from table.group_by(by, maintain_order=True)
