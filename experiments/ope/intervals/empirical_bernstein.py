"""Empirical Bernstein: holds at any size, for customers within a known range.

    V̂ ± ( √(2 s² ln(4/α) / m) + 7 R ln(4/α) / (3 (m − 1)) )

s² is the sample variance of the m customers' contributions and R their range. Maurer & Pontil (2009),
theorem 4, at α/2 on each side. Wide: the second term alone asks for m ≫ 10 R/V.
"""

from __future__ import annotations

import math

from experiments.ope.batch import Floats
from experiments.ope.intervals.student import standard_error


def empirical_bernstein(
    value: float, psi: Floats, n: int, level: float, *, reach: float
) -> tuple[float, float]:
    """Both ends. psi: (units,) influence values by customer; n: decisions; reach: the range R that a
    customer's contribution ψ·units/n can't leave, largest less least, known beforehand."""
    m = len(psi)
    bits = math.log(4 / (1 - level))
    half = standard_error(psi, n) * math.sqrt(2 * bits) + 7 * reach * bits / (3 * (m - 1))
    return value - half, value + half
