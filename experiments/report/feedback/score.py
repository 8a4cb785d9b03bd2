"""NPS, CSAT and CES of survey answers, with an interval that counts customers and not answers.

An answer is mapped to u in [−1, 1]: for NPS −1, 0, 1 for detractors, passives, promoters; else from the
lowest to the highest of the scale. With n answers of m customers, and 3 made-up answers wₖ, ¾ at −1, 1½ at 0
and ¾ at 1,

    ũ = Σu / (n + 3),   s² = (m/(m−1) Σψ² + Σ wₖ (uₖ − ũ)²) / (n + 3)²,   ũ ± t · s

ψ being each customer's sum of u − ũ; t has n_psi − 1 degrees of freedom. The made-up answers keep the
interval honest where nearly all answer alike: the adjusted Wald interval of Rocks (2016), "Interval
Estimation for the Net Promoter Score", with sums over customers in place of those over answers. The value is
that of the answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from experiments.ope.units import spread_count
from nba.errors import NotEnoughData
from nba.playbook.feedback import Scale, Survey

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEAST = 5  # customers
_MADE_UP = np.array([-1.0, 0.0, 1.0])
_WEIGHT = np.array([0.75, 1.5, 0.75])


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a group of answers comes to.

    Attributes:
        value, low, high: NPS in [−100, 100]; CSAT and CES as a mean on their own scale.
        answers, customers: how many.
        unhappy, happy: shares of answers.
    """

    value: float
    low: float
    high: float
    answers: int
    customers: int
    unhappy: float
    happy: float


def score(survey: Survey, scale: Scale, value: Floats, customer: Ints, level: float = 0.95) -> Score:
    """Of (n,) answers by (n,) customers, any numbers that tell them apart.

    Raises:
        NotEnoughData: fewer than 5 customers.
    """
    _, whose = np.unique(customer, return_inverse=True)
    customers = int(whose.max()) + 1 if len(whose) else 0
    if customers < LEAST:
        figures = {"customers": float(customers), "needed": float(LEAST)}
        raise NotEnoughData("too few customers answered", figures)
    happy, unhappy = value >= scale.happy, value <= scale.unhappy
    ends = (-100.0, 100.0) if survey == "nps" else (scale.lowest, scale.highest)
    u = happy.astype(np.float64) - unhappy
    if survey != "nps":
        u = 2.0 * (value - scale.lowest) / (scale.highest - scale.lowest) - 1.0
    low, high = _interval(u, whose, customers, level)
    found, bottom, top = (_on(ends, x) for x in (float(u.mean()), low, high))
    return Score(
        value=found,
        low=min(bottom, found),
        high=max(top, found),
        answers=len(u),
        customers=customers,
        unhappy=float(unhappy.mean()),
        happy=float(happy.mean()),
    )


def _interval(u: Floats, whose: Ints, customers: int, level: float) -> tuple[float, float]:
    n = len(u) + float(_WEIGHT.sum())
    centre = float(u.sum()) / n
    psi = np.bincount(whose, weights=u - centre, minlength=customers)
    made_up = float(_WEIGHT @ (_MADE_UP - centre) ** 2)
    variance = customers / (customers - 1) * float(psi @ psi) + made_up
    spread = spread_count(np.append(psi, np.sqrt(_WEIGHT) * (_MADE_UP - centre)))
    half = float(stdtrit(max(spread - 1, 1.0), 0.5 + level / 2)) * math.sqrt(variance) / n
    return max(centre - half, -1.0), min(centre + half, 1.0)


def _on(ends: tuple[float, float], u: float) -> float:
    return ends[0] + (u + 1.0) / 2.0 * (ends[1] - ends[0])
