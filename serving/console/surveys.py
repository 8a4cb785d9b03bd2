"""Survey answers of a period as a figure, on the playbook's own scales: the same as `nba feedback report`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.report.feedback.score import score
from nba.errors import NotEnoughData
from nba.playbook.feedback import Scale, Survey
from serving.console.figure import Figure


def surveyed(survey: Survey, scale: Scale, answers: Sequence[tuple[str, float]]) -> Figure:
    """NPS in [−100, 100], CSAT and CES on their scale; answers off it, of a playbook before, are left out.

    The interval counts customers, and a few of them have none.

    Args:
        answers: customer and value of each.
    """
    on = [(customer, value) for customer, value in answers if scale.has(value)]
    if not on:
        return Figure(value=None, n=0)
    value = np.array([value for _, value in on])
    _, customer = np.unique([customer for customer, _ in on], return_inverse=True)
    try:
        found = score(survey, scale, value, customer.astype(np.int64))
    except NotEnoughData:
        return Figure(value=_alone(survey, scale, value.tolist()), n=len(on))
    return Figure(value=found.value, n=found.answers, low=found.low, high=found.high)


def _alone(survey: Survey, scale: Scale, values: Sequence[float]) -> float:
    if survey != "nps":
        return sum(values) / len(values)
    happy, unhappy = (sum(v >= scale.happy for v in values), sum(v <= scale.unhappy for v in values))
    return 100.0 * (happy - unhappy) / len(values)
