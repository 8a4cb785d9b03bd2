"""What an estimator says of each row, and what follows from it for all of them alike.

    V̂ = mean(plain) + Σ top / Σ bottom

Every estimator here has this form, so the value, the influence of each row, clustering by customer and the
pairing of two policies are written once. It keeps out thresholds and intervals (inference.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.ope.batch import Floats, LoggedBatch
from nba.errors import InvalidInput, NotEnoughData


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Terms:
    """One estimator's columns.

    Attributes:
        plain: (n,) the rows whose mean is taken, or None.
        top, bottom: (n,) the rows whose sums are divided, or both None.
        weight: (n,) importance weights before clipping or shrinking, of mean 1 but for chance, such that the
            mean of weight · reward estimates the value too; None if the log's rewards aren't used.
        multiplied: (n,) what `weight` multiplies, where the estimator uses it as it is; None where it clips
            or shrinks it, or knows better odds.
    """

    plain: Floats | None = None
    top: Floats | None = None
    bottom: Floats | None = None
    weight: Floats | None
    multiplied: Floats | None = None


def linearise(terms: Terms) -> tuple[float, Floats]:
    """The value, and (n,) the influence ψ of each row: V̂ − V ≈ mean(ψ), Σψ = 0.

    A mean has ψ = plain − mean; a ratio R has ψ = (top − R·bottom) / mean(bottom), the delta method.

    Raises:
        NotEnoughData: the bottom sums to nothing.
    """
    value, influence = 0.0, np.zeros(0)
    if terms.plain is not None:
        value = float(terms.plain.mean())
        influence = terms.plain - value
    if terms.top is not None and terms.bottom is not None:
        scale = float(terms.bottom.mean())
        if scale <= 0:
            raise NotEnoughData("no logged decision has weight under the target", {"weight": scale})
        ratio = float(terms.top.mean()) / scale
        part = (terms.top - ratio * terms.bottom) / scale
        value, influence = value + ratio, part if terms.plain is None else influence + part
    return value, influence


def modelled(name: str, batch: LoggedBatch) -> tuple[Floats, Floats]:
    """The batch's `expected` and `residual`, both (n,).

    Raises:
        InvalidInput: the batch has no `q_hat`.
    """
    if batch.expected is None or batch.residual is None:
        raise InvalidInput.of("q_hat", f"{name} needs predicted rewards of shape (n, k)")
    return batch.expected, batch.residual


def at_least_zero(name: str, value: float) -> float:
    """The hyperparameter itself.

    Raises:
        InvalidInput: it is negative or NaN.
    """
    if not value >= 0:
        raise InvalidInput.of(name, f"must be at least 0, but is {value}")
    return value
