"""What texts are about, how they sound, and how those who wrote them answered.

The mean sentiment has the interval of `score`, the sentiment being in [−1, 1] like an answer there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.report.feedback.score import Score, score
from nba.errors import NotEnoughData
from nba.journey.feedback.model import Readings
from nba.playbook.feedback import Scale

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_SENTIMENT = Scale(lowest=-1, highest=1, unhappy=-1 / 3, happy=1 / 3, whole=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Texts of one theme.

    Attributes:
        name: None for all texts together.
        negative: share of texts that sound negative.
        sentiment: mean of odds of positive less of negative; or why there is none.
        answered: mean of the surveys' answers given nearby, and how many; None where there are none.
    """

    name: str | None
    texts: int
    customers: int
    negative: float
    sentiment: Score | NotEnoughData
    answered: float | None
    answers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All texts.

    Attributes:
        texts: how many there are; `read` those in the model's language.
        themes: the commonest first.
    """

    texts: int
    read: int
    total: Theme | None
    themes: tuple[Theme, ...]


def told(readings: Readings, customer: Ints, answer: Floats, level: float = 0.95) -> Told:
    """Of (n,) texts by (n,) customers; `answer` (n,) is the survey answer given nearby, NaN for none."""
    read = readings.applies
    names = np.array([name or "" for name in readings.theme], dtype=object)
    sentiment = np.array([name or "" for name in readings.sentiment], dtype=object)

    def theme(name: str | None, rows: NDArray[np.bool_]) -> Theme:
        nearby = answer[rows & ~np.isnan(answer)]
        return Theme(
            name=name,
            texts=int(rows.sum()),
            customers=len(np.unique(customer[rows])),
            negative=float(np.mean(sentiment[rows] == "negative")),
            sentiment=_mean(readings.score[rows], customer[rows], level),
            answered=float(nearby.mean()) if len(nearby) else None,
            answers=len(nearby),
        )

    found = [theme(name, read & (names == name)) for name in _known(names[read].tolist())]
    return Told(
        texts=len(read),
        read=int(read.sum()),
        total=theme(None, read) if read.any() else None,
        themes=tuple(sorted(found, key=lambda t: (-t.texts, t.name or ""))),
    )


def _known(names: Sequence[str]) -> list[str]:
    return sorted(set(names) - {""})


def _mean(sentiment: Floats, customer: Ints, level: float) -> Score | NotEnoughData:
    try:
        return score("csat", _SENTIMENT, sentiment, customer, level)
    except NotEnoughData as error:
        return error
