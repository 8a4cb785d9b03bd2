"""Does the effect differ by segment? Rows with a correction of their own, and one test over all of them.

Segments are declared beforehand and share no customer; each row alone invites a story, so the test of
interaction is asked first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from scipy.special import chdtrc

from experiments.ab.effect import Difference
from experiments.ab.fixed import compare_once
from experiments.ab.many import Correction, adjusted, intervals_for
from experiments.ab.moments import Moments
from experiments.ab.ratio import Ratio
from nba.errors import InvalidInput, NotEnoughData

A = TypeVar("A", Moments, Ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRow:
    """One segment.

    Attributes:
        difference: with its interval widened for the number of segments; its p value is its own.
        p_value: adjusted.
    """

    segment: str
    control_n: int
    treatment_n: int
    difference: Difference
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Heterogeneity:
    """The segments, and whether they differ.

    Attributes:
        rows: one for each segment that can carry an estimate.
        left_out: segment → why there is no row.
        q: Cochran's Q = Σ (effectᵢ − mean)²/varianceᵢ, the mean weighted by 1/varianceᵢ; χ² with `freedom`
            degrees if one effect holds for all. Cochran (1954).
        p_value: of one effect for all; to be looked at once.
    """

    rows: tuple[SegmentRow, ...]
    left_out: Mapping[str, str]
    q: float
    freedom: int
    p_value: float


def by_segment(
    controls: Mapping[str, A],
    treatments: Mapping[str, A],
    level: float = 0.95,
    method: Correction = "holm",
    compare: Callable[[A, A], Difference] = compare_once,
) -> Heterogeneity:
    """Treatment minus control in each segment.

    Args:
        controls, treatments: segment → sums of its customers.
        compare: the test of a row, at any level; `always_valid` where rows are looked at while they grow.

    Raises:
        InvalidInput: segments that only one side has, level, method.
        NotEnoughData: fewer than two segments can carry an estimate.
    """
    if set(controls) != set(treatments):
        odd = sorted(set(controls) ^ set(treatments))
        raise InvalidInput.of(
            "treatments", f"must hold the segments of controls; only one has {', '.join(odd)}"
        )
    found, left_out = _rows(controls, treatments, compare)
    if len(found) < 2:
        raise NotEnoughData("fewer than two segments can be compared", {"segments": float(len(found))})
    wide = intervals_for(list(found.values()), method, level)
    corrected = adjusted([one.p_value for one in found.values()], method)
    q = _cochran(list(found.values()))
    return Heterogeneity(
        rows=tuple(
            SegmentRow(
                segment=name,
                control_n=controls[name].n,
                treatment_n=treatments[name].n,
                difference=one,
                p_value=float(p),
            )
            for name, one, p in zip(found, wide, corrected, strict=True)
        ),
        left_out=left_out,
        q=q,
        freedom=len(found) - 1,
        p_value=float(chdtrc(len(found) - 1, q)),
    )


def _rows(
    controls: Mapping[str, A], treatments: Mapping[str, A], compare: Callable[[A, A], Difference]
) -> tuple[dict[str, Difference], dict[str, str]]:
    found: dict[str, Difference] = {}
    left_out: dict[str, str] = {}
    for name, control in controls.items():
        try:
            found[name] = compare(control, treatments[name])
        except NotEnoughData as error:
            left_out[name] = error.detail
    return found, left_out


def _cochran(found: list[Difference]) -> float:
    weights = [one.stderr**-2 for one in found]
    mean = sum(w * one.value for w, one in zip(weights, found, strict=True)) / sum(weights)
    return sum(w * (one.value - mean) ** 2 for w, one in zip(weights, found, strict=True))
