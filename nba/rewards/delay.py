"""How rewards come in over time: what a decision whose window is still open can be expected to earn yet.

Of decisions in bins of time, contacts and silence apart:

    first outcome    S(t) = Π (1 − dᵢ / nᵢ)    dᵢ first outcomes of nᵢ decisions still without one
    mean worth       M(t) = Σ yᵢ               yᵢ the mean of what came in bin i to who lived through it
    expected         x ← x + yᵢ + βᵢ (x − xᵢ)  bin by bin from `early` on, xᵢ the mean of what came before

Kaplan & Meier (1958); Nelson (1988), Lawless & Nadeau (1995) for recurrent events with a worth. The last is
the chain ladder of insurers as a linear credibility forecast (Bühlmann 1967, Mack 1993): who earned more
than most so far tends to earn on, by a slope that is measured; with a slope of 0 it is the reserve of
Bornhuetter & Ferguson (1972). Whatever the slopes, it is unbiased over all decisions of a kind that are cut
off whatever they bring. For a single one it is an approximation: a line, which knows neither customer nor
arm, so an expected reward can lie outside the clip. Caps and clip are exact on average, as each outcome
counts with what it moved the bounded sum by. Reports that come late are no part of the model.

A kind's means are shrunk to those of both, as if PRIOR decisions of these stood among its own; slopes are
those of both kinds, shrunk to 0 as if PRIOR decisions of the reward's own variance had shown none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nba.errors import InvalidInput, NotEnoughData
from nba.rewards.delay_sums import DelaySums, edges

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

PRIOR = 50.0
FEWEST = 30
"""Decisions that must have been watched for a whole window."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DelayModel:
    """What is still to come at the edges of the bins, by kind (0 silence, 1 contact).

    Attributes:
        window: seconds; edges: (b + 1,) seconds after the decision.
        waiting: (2, t, b + 1) S, the share without an outcome of the type so far.
        coming: (2, t + 1, b + 1) mean worth that is still to come, by type and, at last, by the clip.
        offset, slope: (2, b + 1) and (b + 1,) the reward is expected to be offset + slope × early.
        resolved: (2, b + 1) share of the reward's variance that has come: 0 at first, 1 at the window's end.
    """

    window: float
    types: tuple[str, ...]
    edges: Floats
    waiting: Floats
    coming: Floats
    offset: Floats
    slope: Floats
    resolved: Floats

    @classmethod
    def of(cls, sums: DelaySums) -> DelayModel:
        """Estimate from sums.

        Raises:
            NotEnoughData: too few decisions have been watched for a whole window.
        """
        watched = float(sums.lived[:, -1].sum())
        if watched < FEWEST:
            figures = {"watched": watched, "needed": float(FEWEST)}
            raise NotEnoughData("too few decisions have lived through their whole window", figures)
        lived = sums.lived[:, None, :]
        mean = _shrunk(sums.worth, lived)
        spread = _shrunk(sums.squares, sums.lived) - np.square(mean.sum(axis=1))
        offset, slope = _lines(sums, mean.sum(axis=1))
        return cls(
            window=sums.window,
            types=sums.types,
            edges=edges(sums.window),
            waiting=_from(1.0, np.cumprod(1 - _shrunk(sums.first, sums.waiting), axis=2, dtype=np.float64)),
            coming=_to_come(mean),
            offset=offset,
            slope=slope,
            resolved=_share(spread, edges(sums.window)),
        )

    def expected(self, early: Floats, elapsed: Floats, contact: Bools) -> tuple[Floats, Floats]:
        """The reward to be expected of decisions, and how much each tells.

        Args:
            early: (n,) what is known so far, net of cost. elapsed: (n,) seconds since the decision.
            contact: (n,) whether it was one.

        Returns:
            (n,) E[r | early, elapsed] in currency, and (n,) weights in [0, 1]: the share of the reward's
            variance that has come. The rest is a mean that knows nothing of the customer or the arm, so a
            decision of just now says nothing and one whose window is over counts whole.
        """
        offset, weight = (self._at(curve, elapsed, contact) for curve in (self.offset, self.resolved))
        return offset + np.interp(elapsed, self.edges, self.slope) * early, weight

    def still_comes(self, type: str, elapsed: Floats, contact: Bools) -> Floats:
        """(n,) probability that an outcome comes within its window, given that none has in `elapsed` seconds.

        Raises:
            InvalidInput: the type is no objective.
        """
        if type not in self.types:
            raise InvalidInput.of("type", f"must be one of {', '.join(self.types)}")
        waiting = self.waiting[:, self.types.index(type)]
        now = self._at(waiting, elapsed, contact)
        end = waiting[contact.astype(np.int64), -1]
        return np.where(now > 0, 1 - end / np.where(now > 0, now, 1.0), 0.0)

    def _at(self, curves: Floats, elapsed: Floats, contact: Bools) -> Floats:
        """(n,) the kind's curve (2, b + 1) at a moment; within a bin things come evenly."""
        silent, contacted = (np.interp(elapsed, self.edges, curve) for curve in curves)
        found: Floats = np.where(contact, contacted, silent)
        return found


def _shrunk(came: Floats, among: Floats) -> Floats:
    """(2, …) rates by kind, each drawn to that of both. `among` may be 0 for a kind, not for both at once
    where anything came."""
    both = came.sum(axis=0) / np.maximum(among.sum(axis=0), 1.0)
    rates: Floats = (came + PRIOR * both) / (among + PRIOR)
    return rates


def _lines(sums: DelaySums, coming: Floats) -> tuple[Floats, Floats]:
    """(2, b + 1) offsets and (b + 1,) slopes of the final reward on what has come by each edge.

    One bin's line is x → x + y + β (x − x̄); those of the bins to come are put one after the other.
    """
    before = _shrunk(sums.before, sums.lived)
    lived = np.maximum(sums.lived, 1.0)
    within = (sums.before_squares - np.square(sums.before) / lived).sum(axis=0)
    together = (sums.cross - sums.before * sums.worth.sum(axis=1) / lived).sum(axis=0)
    last = within[-1] / sums.lived[:, -1].sum()  # of what has come by the end, or nearly
    prior = PRIOR * last
    beta = together / np.where(within + prior > 0, within + prior, 1.0)
    offset, slope = np.zeros((2, len(beta) + 1)), np.ones(len(beta) + 1)
    for i in range(len(beta) - 1, -1, -1):
        offset[:, i] = offset[:, i + 1] + slope[i + 1] * (coming[:, i] - beta[i] * before[:, i])
        slope[i] = slope[i + 1] * (1 + beta[i])
    return offset, slope


def _from(start: float, curve: Floats) -> Floats:
    """With the value before the first bin in front."""
    first: Floats = np.full((*curve.shape[:-1], 1), start)
    return np.concatenate([first, curve], axis=-1)


def _to_come(mean: Floats) -> Floats:
    """(…, b) what comes in each bin → (…, b + 1) what comes from each edge on."""
    from_the_end = _from(0.0, mean[..., ::-1].cumsum(axis=-1))
    return np.flip(from_the_end, axis=-1)


def _share(spread: Floats, at: Floats) -> Floats:
    """(2, b) variances that come in each bin → (2, b + 1) the share of all that has come; of time where
    nothing varies."""
    came = _from(0.0, np.maximum(spread, 0.0).cumsum(axis=-1))
    total = came[:, -1:]
    return np.where(total > 0, came / np.where(total > 0, total, 1.0), at / at[-1])
