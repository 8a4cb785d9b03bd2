"""How good probabilities are: ranking, sharpness, calibration, lift; and against the base rates."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BINS = 10


def binary(y: Ints, p: Floats) -> dict[str, float]:
    """(n,) 0/1 and (n,) probabilities → metrics by name; both classes must be there."""
    return {
        "roc_auc": float(roc_auc_score(y, p)),
        "pr_auc": float(average_precision_score(y, p)),
        "log_loss": float(log_loss(y, p, labels=[0, 1])),
        "brier": float(brier_score_loss(y, p)),
        "calibration_error": calibration_error(y, p),
        "lift_10": lift(y, p, 0.1),
        "base_rate": float(y.mean()),
        "base_log_loss": float(log_loss(y, np.full(len(y), y.mean()), labels=[0, 1])),
        "rows": float(len(y)),
        "positives": float(y.sum()),
    }


def multiclass(y: Ints, p: Floats, base: Floats) -> dict[str, float]:
    """(n,) class indices, (n, c) probabilities and the (c,) base rates of training → metrics by name.

    `macro_log_loss` weighs every class that occurs alike. `calibration_error` is that of the class held
    most likely. What the base rates alone would reach stands beside, as `base_…`.
    """
    chance = np.broadcast_to(base, p.shape)
    top = p.argmax(axis=1)
    return {
        "log_loss": float(_log_losses(y, p).mean()),
        "macro_log_loss": _macro(y, _log_losses(y, p)),
        "accuracy": float((top == y).mean()),
        "calibration_error": calibration_error((top == y).astype(np.int64), p.max(axis=1)),
        "base_log_loss": float(_log_losses(y, chance).mean()),
        "base_macro_log_loss": _macro(y, _log_losses(y, chance)),
        "base_accuracy": float((y == base.argmax()).mean()),
        "rows": float(len(y)),
    }


def reliability(y: Ints, p: Floats, bins: int = BINS) -> list[dict[str, Any]]:
    """The reliability curve: bins of equal mass, lowest first, each with what it said and what came."""
    parts = [part for part in np.array_split(np.argsort(p, kind="stable"), bins) if len(part)]
    return [
        {
            "low": float(p[part[0]]),
            "high": float(p[part[-1]]),
            "rows": len(part),
            "predicted": float(p[part].mean()),
            "observed": float(y[part].mean()),
        }
        for part in parts
    ]


def calibration_error(y: Ints, p: Floats) -> float:
    """Σ nᵦ/n · |observedᵦ − predictedᵦ| over ten bins of equal mass (ECE; Naeini et al. 2015)."""
    curve = reliability(y, p)
    return float(sum(b["rows"] * abs(b["observed"] - b["predicted"]) for b in curve) / len(y))


def lift(y: Ints, p: Floats, share: float) -> float:
    """The rate of positives among the `share` held most likely, over the rate of all.

    Rows tied at the border count by the fraction of them that fits.
    """
    size = max(1, round(share * len(y)))
    border = np.partition(p, len(p) - size)[len(p) - size]
    above, tied = p > border, p == border
    hits = y[above].sum() + (size - above.sum()) * y[tied].mean()
    return float(hits / size / y.mean())


def _log_losses(y: Ints, p: Floats) -> Floats:
    return np.asarray(-np.log(np.clip(p[np.arange(len(y)), y], np.finfo(np.float64).eps, 1.0)))


def _macro(y: Ints, losses: Floats) -> float:
    return float(np.mean([losses[y == c].mean() for c in np.unique(y)]))
