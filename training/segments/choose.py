"""How many segments: as many as come out alike from other customers, and lie apart.

For each number k of clusters, k-means is fitted on pairs of subsamples of 80 %, and both say of every
customer which cluster they are in; how far they agree is the adjusted Rand index (Hubert & Arabie 1985), 1
for always and 0 for by chance (stability as in Ben-Hur, Elisseeff & Guyon 2002). How far clusters lie apart
is the mean silhouette (Rousseeuw 1987). A k is sound where the mean index, less its standard error, is at
least 0.9 and no cluster is too small. Of the sound ones the largest is taken whose silhouette is at least
three quarters of the best: a finer picture is worth some overlap, but not the risk that other customers
would give another one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nba.errors import NotEnoughData
from nba.journey.segments import Scaling, nearest
from nba.journey.traits import GROUPS, Trait

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PULL = 5.0  # touchpoints: a share of so many is half the customer's own
LEAST_RATIO, LEAST_SHARE = 0.25, 0.05  # spreads below which a difference would mean nothing to a person
STABLE = 0.9
NEAR_BEST = 0.75
LEAST_CUSTOMERS = 200
_PAIRS, _SHARE = 6, 0.8
_SAMPLE, _APART = 10_000, 2_000  # rows for stability and, of these, for silhouettes


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One number of clusters.

    Attributes:
        stability: mean adjusted Rand index over pairs of subsamples; `stability_stderr` of that mean.
        silhouette: mean over a sample; likewise.
        smallest: share of the customers in the smallest cluster.
    """

    k: int
    stability: float
    stability_stderr: float
    silhouette: float
    silhouette_stderr: float
    smallest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The number chosen, out of which, and why in a sentence; `sound` is false where none holds up."""

    k: int
    candidates: tuple[Candidate, ...]
    sound: bool
    said: str


def fit_scaling(traits: tuple[Trait, ...], values: Floats, seen: Floats) -> Scaling:
    """Robust scaling: median and interquartile range, each group of traits with the same say in all.

    Raises:
        NotEnoughData: the customers don't differ in any trait.
    """
    d = len(traits)
    share = np.array([t.how == "share" for t in traits])
    amount = np.nan_to_num(np.where(share, seen, 0.0), nan=0.0)
    prior = (amount * np.nan_to_num(values)).sum(axis=0) / np.maximum(amount.sum(axis=0), 1e-12)
    fill = np.array([_late(values[:, i]) if traits[i].how == "least" else 0.0 for i in range(d)])
    raw = Scaling(
        traits=traits,
        centre=np.zeros(d),
        spread=np.ones(d),
        weight=np.ones(d),
        fill=fill,
        prior=prior,
        pull=np.where(share, PULL, 0.0),
    )
    bent = raw.bent(raw.known(values, seen))
    low, centre, high = np.quantile(bent, (0.25, 0.5, 0.75), axis=0)
    deviation = bent.std(axis=0)
    least = np.where([t.bent for t in traits], LEAST_RATIO, LEAST_SHARE)
    spread = np.maximum.reduce([(high - low) / 1.349, deviation / 2, least])  # many zeros leave no quartiles
    varies = deviation > 1e-9
    if not varies.any():
        raise NotEnoughData("the customers don't differ in anything that segments go by", {"traits": d})
    weight = np.zeros(d)
    for group in GROUPS:
        own = varies & np.array([t.group == group for t in traits])
        weight[own] = 1 / np.sqrt(max(own.sum(), 1))
    return Scaling(
        traits=traits,
        centre=centre,
        spread=np.where(varies, spread, 1.0),
        weight=weight,
        fill=fill,
        prior=prior,
        pull=raw.pull,
    )


def _late(days: Floats) -> float:
    """What stands for "never": longer ago than for nearly anybody."""
    known = days[~np.isnan(days)]
    return float(np.quantile(known, 0.99)) if len(known) else 0.0


def choose(
    Z: Floats,
    most: int,
    least: float,
    count: int | None = None,
    seed: int = 0,
    hear: Callable[[str], None] = lambda step: None,
) -> Choice:
    """Args:
        Z: (n, d) scaled traits.
        most: the largest k that is tried; `count` asks for this one.
        least: the share of the customers that every segment must have.

    Raises:
        NotEnoughData: fewer than 200 customers, or too few that differ.
    """
    if len(Z) < LEAST_CUSTOMERS:
        raise NotEnoughData(
            "too few customers for segments", {"customers": len(Z), "needed": LEAST_CUSTOMERS}
        )
    rng = np.random.default_rng(seed)
    sample = Z if len(Z) <= _SAMPLE else Z[np.sort(rng.choice(len(Z), _SAMPLE, replace=False))]
    different = len(np.unique(sample, axis=0))
    tried = range(2, most + 1) if count is None else (count,)
    found = []
    for k in (k for k in tried if k < different):
        hear(f"{k} segments")
        found.append(_candidate(sample, k, seed))
    if not found:
        raise NotEnoughData("too few customers that differ", {"different": different})
    return _chosen(found, least, count)


def clusters(Z: Floats, k: int, seed: int = 0, starts: int = 10) -> Floats:
    """(k, d) centroids of k-means, the best of so many starts."""
    from sklearn.cluster import KMeans

    rows = Z if len(Z) <= 10 * _SAMPLE else Z[np.random.default_rng(seed).choice(len(Z), 10 * _SAMPLE, False)]
    fitted = KMeans(k, n_init=starts, random_state=seed).fit(rows)
    return np.asarray(fitted.cluster_centers_, dtype=np.float64)


def _candidate(sample: Floats, k: int, seed: int) -> Candidate:
    from sklearn.metrics import adjusted_rand_score, silhouette_samples

    rng = np.random.default_rng((seed, k))
    size = int(_SHARE * len(sample))
    agreed = []
    for pair in range(_PAIRS):
        one, other = (
            nearest(sample, clusters(sample[rng.permutation(len(sample))[:size]], k, pair, starts=3))
            for _ in range(2)
        )
        agreed.append(float(adjusted_rand_score(one, other)))
    place = nearest(sample, clusters(sample, k, seed))
    shown = rng.permutation(len(sample))[:_APART]
    told = len(set(place[shown].tolist())) > 1
    apart = silhouette_samples(sample[shown], place[shown]) if told else np.zeros(len(shown))
    return Candidate(
        k=k,
        stability=float(np.mean(agreed)),
        stability_stderr=float(np.std(agreed, ddof=1) / np.sqrt(_PAIRS)),
        silhouette=float(apart.mean()),
        silhouette_stderr=float(apart.std(ddof=1) / np.sqrt(len(apart))),
        smallest=float(np.bincount(place, minlength=k).min() / len(place)),
    )


def _chosen(found: Sequence[Candidate], least: float, count: int | None) -> Choice:
    sound = [c for c in found if c.stability - c.stability_stderr >= STABLE and c.smallest >= least]
    if not sound:
        near = max(found, key=lambda c: (c.smallest >= least, c.stability))
        asked = "asked for, and not sound" if count is not None else "no number of segments is sound"
        said = (
            f"{asked}: with {near.k}, {_figures(near)}; needed are an agreement of {STABLE:g}, its standard "
            f"error taken off, and at least {100 * least:g} % of the customers in each"
        )
        return Choice(k=near.k, candidates=tuple(found), sound=False, said=said)
    best = max(sound, key=lambda c: c.silhouette)
    taken = max((c for c in sound if c.silhouette >= NEAR_BEST * best.silhouette), key=lambda c: c.k)
    said = f"{taken.k} segments: {_figures(taken)}"
    if count is not None:
        said += "; this number was asked for"
    elif taken is not best:
        said += f"; {best.k} would lie further apart ({best.silhouette:.2f}) and tell less"
    return Choice(k=taken.k, candidates=tuple(found), sound=True, said=said)


def _figures(c: Candidate) -> str:
    return (
        f"two fits on different customers agree by {c.stability:.2f} (adjusted Rand: 1 is always, 0 by "
        f"chance), the silhouette is {c.silhouette:.2f}, and the smallest has {100 * c.smallest:.1f} % of "
        "the customers"
    )
