"""The delta method's interval: the estimate ± a quantile of its standard error.

    V̂ ± t · s,   s = √(m/(m−1) Σψ²) / n,   t with n_psi − 1 degrees of freedom (at least 1)

ψ are the influence values of m customers with n decisions between them. n_psi customers of equal influence
would give this variance, so the degrees are m − 1 for m alike, and fewer where few decide.
"""

from __future__ import annotations

from scipy.special import ndtri, stdtrit

from experiments.ope.batch import Floats
from experiments.ope.units import spread_count, sum_of_squares


def standard_error(psi: Floats, n: int) -> float:
    """Of the mean of ψ per decision, (units,) ψ being independent and summing to 0."""
    m = len(psi)
    return float((sum_of_squares(psi) * m / (m - 1)) ** 0.5) / n


def student(value: float, psi: Floats, n: int, level: float) -> tuple[float, float]:
    """Both ends. psi: (units,) influence values by customer; n: decisions."""
    return students(value, standard_error(psi, n), spread_count(psi), level)


def students(value: float, stderr: float, n_psi: float, level: float) -> tuple[float, float]:
    """The same from the figures."""
    half = float(stdtrit(max(n_psi - 1, 1.0), 0.5 + level / 2)) * stderr
    return value - half, value + half


def normal(value: float, psi: Floats, n: int, level: float) -> tuple[float, float]:
    """The same with a normal quantile: too narrow where few customers decide."""
    half = float(ndtri(0.5 + level / 2)) * standard_error(psi, n)
    return value - half, value + half
