"""How much more often something happens here than to comparable cases, and what that goes along with.

For units (visits of steps, or crossings of edges) at a place p, in bands b of units as far into their case:

    usual(p, b)  = share of hits among the units of band b at all places but p
                   (of all bands, where the others have fewer than LEAST units in b)
    excess(p)    = Σ hits at p − Σ_b units(p, b) · usual(p, b)
    without(p)   = Σ_b hits(p, b) · mean value after units at p in band b without a hit / hits at p
                   (of all bands, where p has fewer than LEAST such units in b)
    lost(p)      = excess(p) · (without(p) − mean value after units at p with a hit)

So what was hit is compared with what was not and was as far in: hits come early, and a long journey, which
has more units and more to come, would else speak for all.

Both are totals over the table, with intervals by the jackknife over clusters. They are smooth functions of
sums by cluster group, place and band, so ten million units cost no more than their sums.

Compared with itself alone (`compare=False`) the usual is none: all hits are excess.

No causal claim: cases that stop at p might have brought less anyway, so `lost` is where to look, not what
would be won. Which places are compared, and the bands, are fixed beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nba.journey.jackknife import Spread, dealt, spread

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST = 20
"""Units on each side, and clusters, below which no figure is given."""
MOST_PLACES = 200
"""The busiest places are judged; all others together are only part of the comparison."""
_BANDS = np.array([1, 2, 3, 4, 6, 9, 16])  # the k-th event of its case, up to …; one more band for the rest
_UNITS, _HITS, _WITHOUT, _WITH = range(4)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Units:
    """u units of journeys.

    Attributes:
        place: (u,) codes from 0 on.
        depth: (u,) how many events of its case came up to here, from 1 on.
        cluster: (u,) codes.
        hit: (u,) whether it happened; or how much, where only the excess is asked for.
        after: (u,) the value that the case had afterwards.
    """

    place: Ints
    depth: Ints
    cluster: Ints
    hit: Floats
    after: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Excesses:
    """k judged places, the busiest first.

    Attributes:
        place: (k,) codes; units, hits, usual: (k,) how many, hits, and hits if it were as usual.
        without, with_hit: (k,) mean value after units without a hit, as far in as the hit ones, and after
            these; NaN where there are none.
        excess, lost: totals with their standard errors.
    """

    place: Ints
    units: Ints
    hits: Floats
    usual: Floats
    without: Floats
    with_hit: Floats
    excess: Spread
    lost: Spread


def excesses(units: Units, *, compare: bool = True) -> Excesses | None:
    """Judge the busiest places; None where clusters or places are too few.

    Args:
        compare: with other places; without it the usual is 0, and all hits are excess.
    """
    busy = _busiest(units.place)
    group, groups = dealt(units.cluster)
    if groups < LEAST or len(busy) < 1:
        return None
    sums = _sums(units, busy, group, groups)
    whole = sums.sum(axis=0)
    banded = _others(whole[..., _UNITS]) >= LEAST
    others = _others(whole[..., _UNITS]).sum(axis=1)[: len(busy)]
    kept = np.flatnonzero((others >= LEAST) | (not compare))
    if not len(kept):
        return None

    def usual(table: Floats) -> Floats:
        return _usual(table, banded)[kept] if compare else np.zeros(len(kept))

    def excess(table: Floats) -> Floats:
        found: Floats = table[kept][..., _HITS].sum(axis=1) - usual(table)
        return found

    enough = (whole[kept][..., _UNITS] - whole[kept][..., _HITS]) >= LEAST

    def lost(table: Floats) -> Floats:
        without, with_hit = _after(table[kept], enough)
        return excess(table) * (without - np.nan_to_num(with_hit))

    without, with_hit = _after(whole[kept], enough)
    return Excesses(
        place=busy[kept],
        units=whole[kept][..., _UNITS].sum(axis=1).astype(np.int64),
        hits=whole[kept][..., _HITS].sum(axis=1),
        usual=usual(whole),
        without=without,
        with_hit=with_hit,
        excess=spread(sums, excess),
        lost=spread(sums, lost),
    )


def bands(depth: Ints) -> Ints:
    """(u,) the band of each depth."""
    return np.searchsorted(_BANDS, depth, side="left").astype(np.int64)


def _busiest(place: Ints) -> Ints:
    """Codes of the places with enough units, the busiest first."""
    counts = np.bincount(place)
    order = np.argsort(-counts, kind="stable")[:MOST_PLACES]
    return order[counts[order] >= LEAST]


def _sums(units: Units, busy: Ints, group: Ints, groups: int) -> Floats:
    """(G, k + 1, bands, 4): units, hits, value after those without a hit and with one; the last place is
    all the others."""
    row = np.full(int(units.place.max(initial=0)) + 1, len(busy), dtype=np.int64)
    row[busy] = np.arange(len(busy))
    shape = (groups, len(busy) + 1, len(_BANDS) + 1)
    cell = np.ravel_multi_index((group, row[units.place], bands(units.depth)), shape)
    parts = (np.ones(len(cell)), units.hit, units.after * (units.hit == 0), units.after * (units.hit != 0))
    flat = [np.bincount(cell, part, minlength=int(np.prod(shape))) for part in parts]
    table: Floats = np.stack(flat, axis=-1).astype(np.float64).reshape(*shape, len(parts))
    return table


def _others(counts: Floats) -> Floats:
    """(k + 1, bands): of all places but this one."""
    found: Floats = counts.sum(axis=0) - counts
    return found


def _usual(table: Floats, banded: Bools) -> Floats:
    """(k + 1,) hits if the units were hit as often as those of their band elsewhere."""
    units, hits = _others(table[..., _UNITS]), _others(table[..., _HITS])
    everywhere = hits.sum(axis=1) / np.maximum(units.sum(axis=1), 1.0)
    share = np.where(banded, hits / np.maximum(units, 1e-300), everywhere[:, None])
    found: Floats = (table[..., _UNITS] * share).sum(axis=1)
    return found


def _after(table: Floats, enough: Bools) -> tuple[Floats, Floats]:
    """(k,) mean value after units without a hit, in the bands of the hit ones, and with one.

    Args:
        enough: (k, bands) where there are so many without a hit that their mean says something.
    """
    hits, spared = table[..., _HITS], table[..., _UNITS] - table[..., _HITS]
    with np.errstate(invalid="ignore", divide="ignore"):
        overall = table[..., _WITHOUT].sum(axis=1) / spared.sum(axis=1)
        mean = np.where(enough & (spared > 0), table[..., _WITHOUT] / spared, overall[:, None])
        as_far = (hits * mean).sum(axis=1) / hits.sum(axis=1)
        with_hit = table[..., _WITH].sum(axis=1) / hits.sum(axis=1)
    return np.where(hits.sum(axis=1) > 0, as_far, overall), with_hit
