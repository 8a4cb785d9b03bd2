"""What sets a persona apart, in words and figures: descriptions, not causes.

The words are a path of a small decision tree that tells the segment from all others on traits in their own
units: of its leaves the one that is best by F1, with how many of the segment it catches and how many of
those it catches are of the segment. The figures are standardised differences, (mean inside − mean outside) /
pooled standard deviation (Cohen 1988), of the traits as they are compared, and medians for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nba.journey.segments import Scaling
from nba.journey.traits import PARTS, Trait
from nba.playbook.compile import Playbook
from training.segments.cohort import Cohort

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_DEPTH, _LEAST_LEAF, _ROWS = 3, 0.01, 50_000
_TOLD = 5  # differences a persona
_SMALL = 0.2  # below which a difference is not worth telling (Cohen's "small")
_Z = 1.959963984540054  # the normal quantile of 97.5 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A trait inside the segment and outside: the standardised difference, medians in the trait's own unit,
    and of how many customers it is known."""

    trait: str
    said: str
    effect: float
    inside: float
    outside: float
    n_inside: int
    n_outside: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean over `n` customers with its 95 % interval by the normal law."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Favourite:
    """What most of those of whom it is known prefer, and how many that are, of `n`."""

    name: str
    share: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """One segment, described.

    Attributes:
        rule: in words; `catches` of the segment, and `right` of those that it catches, as shares.
        worth: of the last 90 days, in the playbook's currency; churn: mean probability by the serving model;
            silent: the share that the playbook calls churned by now. None where nothing is known.
    """

    size: int
    share: float
    rule: tuple[str, ...]
    catches: float
    right: float
    differences: tuple[Difference, ...]
    worth: Mean | None
    churn: Mean | None
    silent: Mean | None
    channel: Favourite | None
    part_of_day: Favourite | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def describe(playbook: Playbook, cohort: Cohort, scaling: Scaling, place: Ints, k: int) -> list[Persona]:
    """One persona a segment; `place` (n,) says who is in which."""
    known, Z = scaling.known(cohort.values, cohort.seen), scaling.scaled(cohort.values, cohort.seen)
    known = np.where(np.isnan(cohort.values), known, cohort.values)  # in words a share is itself
    channels = tuple(playbook.spec.channels)
    found = []
    for index in range(k):
        inside = place == index
        rule, catches, right = _rule(scaling, known, inside)
        found.append(
            Persona(
                size=int(inside.sum()),
                share=float(inside.mean()),
                rule=rule,
                catches=catches,
                right=right,
                differences=_differences(scaling, cohort.values, Z, inside),
                worth=_mean(cohort.worth[inside]),
                churn=_mean(cohort.churn[inside]),
                silent=_mean(cohort.silent[inside]),
                channel=_favourite(cohort.channel[inside], channels),
                part_of_day=_favourite(cohort.part[inside], tuple(PARTS)),
            )
        )
    return found


def _rule(scaling: Scaling, known: Floats, inside: Bools) -> tuple[tuple[str, ...], float, float]:
    from sklearn.tree import DecisionTreeClassifier

    used = np.flatnonzero(scaling.weight > 0)
    rows = np.arange(len(known))
    if len(rows) > _ROWS:
        rows = np.sort(np.random.default_rng(0).choice(rows, _ROWS, replace=False))
    grown = DecisionTreeClassifier(
        max_depth=_DEPTH,
        min_samples_leaf=max(int(_LEAST_LEAF * len(rows)), 5),
        class_weight="balanced",
        random_state=0,
    ).fit(known[np.ix_(rows, used)], inside[rows])
    leaf = grown.apply(known[:, used])
    best, score = int(leaf[0]), -1.0
    for candidate in np.unique(leaf).tolist():
        caught = leaf == candidate
        f1 = 2 * (caught & inside).sum() / (caught.sum() + inside.sum())
        if f1 > score:
            best, score = candidate, float(f1)
    caught = leaf == best
    words = _path(grown.tree_, best, [scaling.traits[i] for i in used])
    return words, float((caught & inside).sum() / inside.sum()), float((caught & inside).sum() / caught.sum())


def _path(tree: Any, leaf: int, traits: Sequence[Trait]) -> tuple[str, ...]:
    """The conditions from the root to a leaf, one a trait and side, the tightest."""
    parent = {int(child): node for node in range(tree.node_count) for child in _children(tree, node)}
    low: dict[int, float] = {}
    high: dict[int, float] = {}
    node = leaf
    while node in parent:
        above = parent[node]
        trait, bound = int(tree.feature[above]), float(tree.threshold[above])
        if node == tree.children_left[above]:
            high[trait] = min(bound, high.get(trait, np.inf))
        else:
            low[trait] = max(bound, low.get(trait, -np.inf))
        node = above
    return tuple(_said(traits[t], low.get(t), high.get(t)) for t in sorted({*low, *high}))


def _children(tree: Any, node: int) -> list[int]:
    return [int(c) for c in (tree.children_left[node], tree.children_right[node]) if c >= 0]


def _said(trait: Trait, low: float | None, high: float | None) -> str:
    """`last purchase more than 34 days ago`, `30 to 60 % of touchpoints are visits`."""
    scale, unit = (100.0, " %") if trait.unit == "share" else (1.0, "")
    ends = [None if end is None else f"{_rounded(scale * end)}" for end in (low, high)]
    if ends[0] is not None and ends[1] is not None:
        amount = f"{ends[0]} to {ends[1]}{unit}"
    elif ends[0] is not None:
        amount = f"more than {ends[0]}{unit}"
    else:
        amount = f"at most {ends[1]}{unit}"
    if trait.unit in ("share", ""):
        return f"{amount} {trait.said}"
    return f"{trait.said} {amount} {trait.unit}"


def told(trait: Trait, value: float) -> str:
    """A value as a person says it: `34 days ago`, `12 %`."""
    if np.isnan(value):
        return "not known"
    if trait.unit == "share":
        return f"{_rounded(100 * value)} %"
    return f"{_rounded(value)} {trait.unit}".rstrip()


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.1f}".removesuffix(".0").replace("-0", "0", 1)


def _differences(scaling: Scaling, values: Floats, Z: Floats, inside: Bools) -> tuple[Difference, ...]:
    found = []
    for i in np.flatnonzero(scaling.weight > 0):
        trait, z, there = scaling.traits[i], Z[:, i] / scaling.weight[i], ~np.isnan(values[:, i])
        ours, others = z[inside], z[~inside]
        pooled = np.sqrt((ours.var() * len(ours) + others.var() * len(others)) / len(z))
        effect = float((ours.mean() - others.mean()) / pooled) if pooled > 1e-12 else 0.0
        if abs(effect) >= _SMALL:
            found.append(
                Difference(
                    trait=trait.name,
                    said=trait.said,
                    effect=effect,
                    inside=_median(values[inside & there, i]),
                    outside=_median(values[~inside & there, i]),
                    n_inside=int((inside & there).sum()),
                    n_outside=int((~inside & there).sum()),
                )
            )
    return tuple(sorted(found, key=lambda d: -abs(d.effect))[:_TOLD])


def _median(values: Floats) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def _mean(values: Floats) -> Mean | None:
    known = values[~np.isnan(values)]
    if len(known) < 2:
        return None
    mean, error = float(known.mean()), float(known.std(ddof=1) / np.sqrt(len(known)))
    return Mean(value=mean, low=mean - _Z * error, high=mean + _Z * error, n=len(known))


def _favourite(codes: Ints, names: Sequence[str]) -> Favourite | None:
    known = codes[codes >= 0]
    if not len(known):
        return None
    counts = np.bincount(known, minlength=len(names))
    most = int(counts.argmax())
    return Favourite(name=names[most], share=float(counts[most] / len(known)), n=len(known))
