"""Sums over customers, the independent units of every interval here, and how many of them a sum rests on."""

from __future__ import annotations

import numpy as np

from experiments.ope.batch import Floats, LoggedBatch


def by_unit(rows: Floats, batch: LoggedBatch) -> Floats:
    """(units,) the sum over each customer's rows, or the rows themselves where no customer is given."""
    if batch.unit is None:
        return rows
    return np.bincount(batch.unit, weights=rows, minlength=batch.units).astype(np.float64, copy=False)


def sum_of_squares(x: Floats) -> float:
    return float(np.einsum("i,i->", x, x))


def kish(weight: Floats) -> float:
    """(Σw)²/Σw², the number of equal weights that would know as much; 0 where all are 0."""
    squares = sum_of_squares(weight)
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def spread_count(psi: Floats) -> float:
    """n_psi = (Σψ²)²/Σψ⁴, how many customers make up the variance; 0 where there is none.

    It bounds what a normal approximation leaves out: the skewness of the mean is at most n_psi^(−1/2), and
    Berry and Esseen's bound at most 0.48 of that, since (E|ψ|³)² ≤ E ψ² E ψ⁴.
    """
    return kish(psi * psi)
