"""How well a text model answers on rows it has not seen: figures, confusion, calibration, and a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEVEL = 0.95
_DRAWS, _BINS = 1_000, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Figures of one head.

    Attributes:
        figures: accuracy and macro_f1 with `_low` and `_high`, log_loss, calibration_error, and those of the
            baseline, which always answers the commonest class or the training shares: `base_…`.
        by_class: precision, recall, f1 and rows of each class.
        confusion: (c, c) rows, by what is so and what was answered.
        reliability: of the first class, in bins of like odds: predicted, observed, rows.
    """

    classes: tuple[str, ...]
    figures: Mapping[str, float]
    by_class: Mapping[str, Mapping[str, float]]
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[Mapping[str, float], ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "classes": list(self.classes),
            "figures": dict(self.figures),
            "by_class": {name: dict(found) for name, found in self.by_class.items()},
            "confusion": [list(row) for row in self.confusion],
            "reliability": [dict(found) for found in self.reliability],
        }


def judge(
    classes: Sequence[str], y: Ints, odds: Floats, answered: Ints, prior: Floats, unit: Ints, seed: int = 0
) -> Judged:
    """From (n,) truths, (n, c) odds and (n,) answers; `prior` (c,) are the shares in training.

    Intervals are percentiles of a bootstrap over units, so they hold where units' texts go together.
    """
    c = len(classes)
    cells = np.zeros((len(y), c, c))
    cells[np.arange(len(y)), y, answered] = 1
    confusion = cells.sum(axis=0)
    constant = np.zeros((c, c))
    constant[:, int(prior.argmax())] = confusion.sum(axis=1)
    figures = {
        "rows": float(len(y)),
        **_scores(confusion[None]),
        **_intervals(cells, unit, seed),
        "log_loss": _log_loss(odds[np.arange(len(y)), y]),
        "calibration_error": float(np.mean([_off(odds[:, k], y == k) for k in range(c)])),
        **{f"base_{name}": value for name, value in _scores(constant[None]).items()},
        "base_log_loss": _log_loss(prior[y]),
    }
    return Judged(
        classes=tuple(classes),
        figures=figures,
        by_class={name: _of_class(confusion, k) for k, name in enumerate(classes)},
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        reliability=tuple(_bins(odds[:, 0], y == 0)),
    )


def _scores(confusion: Floats) -> dict[str, float]:
    accuracy, macro = _both(confusion)
    return {"accuracy": float(accuracy[0]), "macro_f1": float(macro[0])}


def _both(confusion: Floats) -> tuple[Floats, Floats]:
    """(b, c, c) → accuracy and macro F1, (b,) each; a class without rows and answers has F1 0."""
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    both = confusion.sum(axis=1) + confusion.sum(axis=2)
    f1 = np.divide(2 * hits, both, out=np.zeros_like(hits), where=both > 0)
    return hits.sum(axis=1) / confusion.sum(axis=(1, 2)), f1.mean(axis=1)


def _intervals(cells: Floats, unit: Ints, seed: int) -> dict[str, float]:
    _, place = np.unique(unit, return_inverse=True)
    units = int(place.max()) + 1
    sums = np.zeros((units, cells.shape[1] ** 2))
    np.add.at(sums, place, cells.reshape(len(cells), -1))
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(units, np.full(units, 1 / units), size=_DRAWS).astype(np.float64) @ sums
    found = _both(drawn.reshape(_DRAWS, cells.shape[1], -1))
    ends: dict[str, float] = {}
    for name, values in zip(("accuracy", "macro_f1"), found, strict=True):
        low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        ends |= {f"{name}_low": float(low), f"{name}_high": float(high)}
    return ends


def _of_class(confusion: Floats, k: int) -> dict[str, float]:
    hit, said, so = float(confusion[k, k]), float(confusion[:, k].sum()), float(confusion[k].sum())
    return {
        "precision": hit / said if said else 0.0,
        "recall": hit / so if so else 0.0,
        "f1": 2 * hit / (said + so) if said + so else 0.0,
        "rows": so,
    }


def _log_loss(odds_of_truth: Floats) -> float:
    return float(-np.mean(np.log(np.maximum(odds_of_truth, 1e-15))))


def _bins(odds: Floats, so: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Bins of like size by odds."""
    parts = [part for part in np.array_split(np.argsort(odds, kind="stable"), _BINS) if len(part)]
    return [
        {"predicted": float(odds[p].mean()), "observed": float(so[p].mean()), "rows": float(len(p))}
        for p in parts
    ]


def _off(odds: Floats, so: NDArray[np.bool_]) -> float:
    """Expected calibration error: |predicted − observed| over bins of like size."""
    bins = _bins(odds, so)
    total = sum(b["rows"] for b in bins)
    return sum(b["rows"] * abs(b["predicted"] - b["observed"]) for b in bins) / total
